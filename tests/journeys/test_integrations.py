"""Connect, use in a chat, give one more permission, disconnect in the middle of a task: in a real browser."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import Browser, browser
from tests.support.running import Running, joule_up
from tests.support.walking import answered, ask, fine, new_project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with joule_up(JOULE_INTEGRATIONS_DEMO_PORT=str(port), JOULE_INTEGRATIONS_UPKEEP_SECONDS="1") as found:
        yield found


async def allow(window: Browser, stop: str) -> None:
    """Says yes on the provider's own page."""
    await window.page.wait_for_url("**/oauth/authorize?**")
    await expect(window.page.get_by_text("not a real service")).to_be_visible()
    await fine(window, stop)
    await window.page.get_by_role("button", name="Allow").click()


async def test_an_account_is_connected_used_given_more_and_ended_in_the_middle_of_a_task(
    running: Running,
) -> None:
    async with browser(name="accounts") as window:
        page = window.page
        await new_project(page, running, "Harbour coffee")
        project = page.url

        await page.goto(f"{running.address}/admin/integrations")
        await fine(window, "20-catalogue")
        await page.get_by_label("Find a provider").fill("hubspot contacts")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name=re.compile("^HubSpot")).click()
        await expect(page.get_by_text("Not verified").first).to_be_visible()
        await expect(page.get_by_text("Give HubSpot exactly this redirect address")).to_be_visible()
        await fine(window, "20b-not-verified")
        await page.goto(f"{running.address}/admin/integrations")
        await page.get_by_role("link", name=re.compile("^Demo CRM")).click()
        await expect(page.get_by_role("heading", name="What Joule could do at most")).to_be_visible()
        await expect(page.get_by_label("Write notes on pretend contacts.").first).not_to_be_visible()
        await fine(window, "21-provider")
        await page.get_by_role("button", name=re.compile("^Connect Demo CRM")).click()
        await allow(window, "22-consent")
        await expect(page.get_by_text("The account is connected.")).to_be_visible()
        await expect(page.get_by_text("Harbour Coffee (pretend)").first).to_be_visible()
        await fine(window, "23-connection")
        connection = page.url.partition("?")[0]

        await page.goto(project)
        await ask(page, "Show contacts from the demo CRM")
        await answered(page, 1)
        await expect(page.locator(".prose td").first).to_have_text("c-1")
        await fine(window, "24-used")

        await ask(page, "Add a note to c-1 in the demo CRM: Call back in March")
        card = page.locator(".approval", has_text="Needs this one permission")
        await card.wait_for()
        await expect(card).to_contain_text("notes.write")
        await fine(window, "25-step-up")
        await card.get_by_role("button", name="Give this permission").click()
        connect = page.locator("form.connect")
        await expect(connect.get_by_label("Write notes on pretend contacts.")).to_be_checked()
        await expect(connect.get_by_label("Send the pretend newsletter.")).not_to_be_checked()
        await connect.get_by_label("Send the pretend newsletter.").check()
        await fine(window, "26-one-more")
        await page.get_by_role("button", name=re.compile("^Connect Demo CRM")).click()
        await allow(window, "27-consent-again")
        await page.wait_for_url("**/threads/**")
        await answered(page, 2)
        await expect(page.locator(".step", has_text="Write a note").last).to_contain_text("Allowed")
        await fine(window, "28-went-on")

        await ask(
            page, "Send the newsletter “Spring is here” to customers with the demo CRM: Our spring offer starts today."
        )
        approval = page.locator(".approval", has_text="May Joule do this?")
        await approval.wait_for()
        conversation = page.url
        await fine(window, "29-waits")

        await page.goto(connection)
        await page.get_by_role("button", name="Disconnect…").click()
        await fine(window, "30-warning")
        await page.get_by_role("button", name="Disconnect and delete what was synced", exact=True).click()
        await expect(page.get_by_text("The account is disconnected.")).to_be_visible()
        await expect(page.locator("#outcome")).to_contain_text("Revoked", timeout=20_000)
        await fine(window, "31-ended")
        await page.goto(connection)
        async with page.expect_download() as receiving:
            await page.get_by_role("button", name="Download the receipt").click()
        receipt = json.loads(Path(await (await receiving.value).path()).read_text())
        assert json.loads(receipt["receipt"])["provider_told"] is True

        await page.goto(conversation)
        await page.get_by_role("button", name="Approve once").click()
        await answered(page, 3)
        await expect(page.locator(".step", has_text="Send a newsletter").last).to_contain_text("failed")
        await expect(page.locator("main")).to_contain_text("was disconnected")
        await fine(window, "32-refused")


async def test_a_member_gives_the_permission_their_own_task_waits_for(running: Running) -> None:
    async with browser(name="accounts-owner") as window, browser(name="accounts-member") as theirs:
        page, other = window.page, theirs.page
        await new_project(page, running, "Harbour coffee")
        project = page.url
        await page.goto(f"{running.address}/admin/integrations/demo_crm")
        await page.get_by_label("Members may add a permission").select_option("R2")
        await page.get_by_role("button", name="Save what is allowed").click()
        await expect(page.get_by_text("What is allowed was saved.")).to_be_visible()
        await fine(window, "33-members-may")
        await page.get_by_role("button", name=re.compile("^Connect Demo CRM")).click()
        await allow(window, "33b-consent")
        await expect(page.get_by_text("The account is connected.")).to_be_visible()
        await page.goto(f"{running.address}/admin/members")
        await page.get_by_label("Name", exact=True).fill("Bo")
        await page.get_by_label("E-mail address").fill("bo@example.test")
        await page.get_by_label("Role", exact=True).select_option("member")
        await page.get_by_role("button", name="Make an invitation link").click()
        link = await page.locator("#invite-link").text_content()

        assert link is not None
        await other.goto(link)
        await other.get_by_role("button", name="Sign in").click()
        await other.wait_for_url(re.compile("/projects"))
        await other.goto(project)
        await ask(other, "Add a note to c-1 in the demo CRM: Call back in March")
        card = other.locator(".approval", has_text="Needs this one permission")
        await card.wait_for()
        await fine(theirs, "34-member-waits")
        await card.get_by_role("button", name="Give this permission").click()
        await expect(other.get_by_role("heading", name="Your task needs this one permission")).to_be_visible()
        await fine(theirs, "35-member-gives")
        await other.get_by_role("button", name="Give this permission").click()
        await allow(theirs, "36-member-consents")
        await other.wait_for_url("**/threads/**")
        await answered(other, 1)
        await expect(other.locator(".step", has_text="Write a note").last).to_contain_text("Allowed")
        await fine(theirs, "37-member-went-on")
