"""Support without a grant, with one, and after it; replay, what if, the bundle, and the organisation that sees it all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Page, expect

from joule.governance.rules.actions import DraftPolicy, EnforcePolicy, PublishPolicy
from joule.kernel.principal import Role
from tests.support.browser import Browser, browser
from tests.support.postgres import TestServer
from tests.support.walking import fine
from tests.web.desk import WORDS, Desk, desk_of
from traces import verify

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

NO_FILES = (
    '@id("no files") @reason("we keep no files here") forbid (principal, '
    'action == Joule::Action::"memory.write_file", resource) when { context.via == "agent" };'
)


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[str]:
    """The address of the desk's pages on a real socket."""
    server = uvicorn.Server(uvicorn.Config(desk.app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:
                await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving


async def sign_in(window: Browser, address: str, token: str) -> Page:
    await window.page.goto(f"{address}/sign-in/link?token={token}")
    await window.page.get_by_role("button", name="Sign in").click()
    await window.page.locator("#main").wait_for()
    return window.page


async def words_on(page: Page) -> list[str]:
    shown = await page.locator("main").inner_text()
    return [word for word in WORDS if word in shown]


async def test_support_sees_where_it_went_wrong_and_reads_only_what_was_granted(
    test_server: TestServer, tmp_path: Path
) -> None:
    async with (
        desk_of(test_server, tmp_path) as desk,
        served(desk) as address,
        browser(name="support") as support,
        browser(name="owner") as owner,
    ):
        at = f"{address}/support/tasks/{desk.task}"
        page = await sign_in(support, address, await desk.invitation(Role.SUPPORT))
        theirs = await sign_in(owner, address, await desk.link())

        # without a grant: everything but the words
        await page.goto(f"{address}/support")
        await page.get_by_label("Task id").fill(str(desk.task))
        await fine(support, "support-1-find")
        await page.keyboard.press("Enter")
        await expect(page.locator(".steps")).to_contain_text("Tool write_file")
        assert await words_on(page) == []
        await fine(support, "support-2-timeline")

        # ask
        await page.get_by_text("Ask for access").click()
        for part in ("What was asked", "What tools were asked", "What the model wrote"):
            await page.get_by_label(part).first.check()
        await page.get_by_label("What for").fill("The customer says that the plan is wrong.")
        await page.get_by_label("For how long").first.select_option("1")
        await page.get_by_role("button", name="Ask the organisation").click()
        await expect(page.locator("#access")).to_contain_text("You have asked to read this")
        await support.shot("support-3-asked")

        # grant
        await theirs.goto(f"{address}/projects")
        await theirs.locator(".bar .alert").click()
        await expect(theirs.locator(".request")).to_contain_text("The customer says that the plan is wrong.")
        await fine(owner, "support-4-request")
        await theirs.get_by_role("button", name="Grant").click()
        await expect(theirs.get_by_role("heading", name="Granted now")).to_be_visible()

        # content, by the keyboard and by a link
        await page.goto(at)
        assert await words_on(page) == []
        await page.get_by_role("button", name="Show what was said").click()
        await expect(page.locator(".steps")).to_contain_text("heliotrope and marzipan")
        await expect(page.locator(".steps")).to_contain_text("stands in the person's own message")
        await fine(support, "support-5-content")
        await page.goto(f"{at}#seq-4")
        await expect(page.locator(".step.here details[open]")).to_have_count(1)
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await expect(page.locator(".step.here details[open]")).to_have_count(1)
        await expect(page.locator(".step details[open]")).to_have_count(2)
        await page.keyboard.press("?")
        await expect(page.locator("#keys")).to_contain_text("Open or close a step")
        await page.keyboard.press("Escape")
        await theirs.goto(f"{address}/admin/access")
        await expect(theirs.get_by_role("region", name="Reads")).to_contain_text(str(desk.task))
        await owner.shot("support-6-reads")

        # over
        desk.clock.advance(timedelta(hours=1))
        await page.goto(at)
        await expect(page.locator("#access")).to_contain_text("Expired")
        await expect(page.get_by_role("button", name="Show what was said")).to_have_count(0)

        # replay: identical, then under other policies; what if
        await page.get_by_role("button", name="Replay").click()
        await expect(page.get_by_role("heading", name="Identical")).to_be_visible()
        await support.shot("support-7-identical")
        await forbid_files(desk)
        await page.goto(at)
        await page.get_by_role("button", name="What if").click()
        await expect(page.get_by_role("heading", name="1 decision would change")).to_be_visible()
        await fine(support, "support-8-what-if")
        await page.goto(at)
        await page.get_by_role("button", name="Replay").click()
        await expect(page.get_by_role("heading", name="Diverged")).to_be_visible()
        await expect(page.locator(".difference").first).to_contain_text("act/0/0")
        await support.shot("support-9-diverged")

        # the bundle, checked without anything of ours
        await page.goto(at)
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Bundle").click()
        saved = tmp_path / "bundle.zip"
        await (await download.value).save_as(saved)
        assert verify.check(saved, pinned=None, kept=[]).task == str(desk.task)

        # the organisation sees it all, and that the record is whole
        await theirs.goto(f"{address}/admin/audit?group=reads")
        await expect(theirs.get_by_role("region", name="Commands")).to_contain_text("traces.read_content")
        await fine(owner, "support-10-audit")
        await theirs.get_by_role("button", name="Verify").click()
        await expect(theirs.get_by_role("heading", name="The record is whole")).to_be_visible()
        await fine(owner, "support-11-verified")
        assert await support.wrong() == []
        assert await owner.wrong() == []


async def forbid_files(desk: Desk) -> None:
    """The organisation's own policy, in force from now on."""
    owner, perform = desk.home.owner, desk.home.house.commands.perform
    drafted = await perform(DraftPolicy(principal=owner, text=NO_FILES))
    await perform(PublishPolicy(principal=owner, version=drafted.version))
    await perform(EnforcePolicy(principal=owner, version=drafted.version))
