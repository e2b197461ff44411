"""The main job, walked by a person's browser over everything that is real but the language model.

Pictures of every stop are kept under `shots/`; every stop is checked for accessibility, for the content policy and for
errors in the console.
"""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import browser
from tests.support.running import Running, joule_up
from tests.support.walking import answered, fine, new_project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SAMPLE = Path(__file__).resolve().parents[2] / "joule" / "cli" / "sample"
REQUEST = (
    "Summarise what worked in campaigns.csv in our brand voice, save it as summary.md, "
    "and remember that we never use exclamation marks"
)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with joule_up() as found:
        yield found


async def test_a_newcomer_does_the_main_job(running: Running) -> None:
    async with browser(name="main") as window:
        page = window.page
        await page.goto(running.printed)
        await fine(window, "01-link")
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/projects")
        await expect(page.get_by_text("Offline model").first).to_be_visible()
        await fine(window, "02-first-run")

        await page.get_by_label("Your first project").fill("Harbour coffee")
        await page.get_by_role("button", name="Create project").click()
        await page.locator("message-composer").wait_for()
        await fine(window, "03-new-project")

        await page.set_viewport_size({"width": 360, "height": 740})
        await page.locator(".bar [data-drawer=panel]").click()
        async with page.expect_file_chooser() as choosing:
            await page.get_by_role("button", name="Choose files").click()
        await (await choosing.value).set_files([SAMPLE / "campaigns.csv", SAMPLE / "brand-guide.md"])
        await expect(page.locator("#panel-file-list")).to_contain_text("campaigns.csv")
        await expect(page.locator("#panel-file-list")).to_contain_text("brand-guide.md")
        await window.shot("04-files-phone")
        assert await window.axe() == []
        await page.get_by_role("button", name="Close files and memory").click()
        await fine(window, "04-files")

        await page.get_by_label("Message to Joule").fill(REQUEST)
        await page.keyboard.press("Enter")
        await page.locator(".prose, .step").first.wait_for()
        await window.shot("05-streaming")
        await answered(page, 1)
        await expect(page.locator("#panel-memory-list")).to_contain_text("exclamation marks")
        await expect(page.locator("#panel-file-list")).to_contain_text("summary.md")
        await fine(window, "06-answer")

        steps = page.locator(".step")
        assert await steps.count() >= 4
        for each in await steps.all():
            await expect(each).to_contain_text("Allowed")
        written = page.locator(".step", has_text="summary.md").last
        await written.locator("summary").click()
        await expect(written).to_contain_text("What the gate decided")
        await expect(written).to_contain_text("memory.agent-writes-named-files")
        await fine(window, "07-step")
        for kept in ("summary.md, version 1", "exclamation marks"):
            await expect(page.locator(".saved", has_text=kept)).to_be_visible()
        task = await page.locator(".ended code").inner_text()

        await page.locator(".saved a", has_text="summary.md").click()
        await expect(page.locator(".preview")).to_be_visible()
        assert "!" not in await page.locator(".preview").inner_text()
        await fine(window, "08-file")

        await page.goto(re.sub(r"/files/.*", "/memory", page.url))
        await expect(page.locator("#items")).to_contain_text("exclamation marks")
        await page.get_by_role("button", name=re.compile("^Edit")).click()
        await page.get_by_label("Remembered text").fill("We never use exclamation marks or capitals")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#items")).to_contain_text("or capitals")
        await fine(window, "09-memory")
        await page.get_by_role("button", name=re.compile("^Forget")).click()
        await fine(window, "10-confirm")
        await page.get_by_role("button", name="Yes, go on").click()
        await expect(page.locator("#items")).to_contain_text("Nothing is remembered")

        await page.goto(f"{running.address}/support")
        await page.get_by_label("Task id").fill(task)
        await page.get_by_role("button", name="Find").click()
        await expect(page.get_by_role("heading", name="Task timeline")).to_be_visible()
        await expect(page.locator(".steps")).to_contain_text("Tool write_file")
        assert "exclamation" not in await page.locator("main").inner_text()
        await fine(window, "11-timeline")

        await page.get_by_role("button", name="Replay").click()
        await expect(page.get_by_role("heading", name="Identical")).to_be_visible()
        await fine(window, "12-replay")


async def test_the_keyboard_is_enough(running: Running) -> None:
    async with browser(name="keys") as window:
        page = window.page
        await new_project(page, running, "Keys")
        message = page.get_by_label("Message to Joule")
        await expect(message).to_be_focused()

        await page.keyboard.type("what can you")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("do?")
        await expect(message).to_have_value("what can you\ndo?")
        await page.keyboard.press("Enter")
        await answered(page, 1)
        await expect(message).to_have_value("")

        await page.locator("#log").focus()
        await page.keyboard.press("/")
        await expect(message).to_be_focused()
        await page.keyboard.press("ArrowUp")
        editor = page.get_by_label("Your message")
        await expect(editor).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(editor).to_have_count(0)

        await page.locator("#log").focus()
        await page.keyboard.press("?")
        await expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()
        await fine(window, "keys")
        await page.keyboard.press("Escape")

        await message.focus()
        await page.keyboard.press("ArrowUp")
        await editor.fill("list my files")
        await page.keyboard.press("Enter")
        await expect(page.locator(".attempts")).to_contain_text("2 of 2")
        await answered(page, 1)
        await page.get_by_role("link", name="Earlier attempt").click()
        await expect(page.locator(".asked .words")).to_have_text("what can you\ndo?")
        await fine(window, "attempts")


async def test_what_was_typed_outlives_an_error_and_colours_are_a_choice(running: Running) -> None:
    async with browser(name="errors") as window:
        page = window.page
        await new_project(page, running, "Errors")
        message = page.get_by_label("Message to Joule")
        await message.wait_for()
        window.expected.append("401")

        (cookie,) = await page.context.cookies()
        await page.context.clear_cookies()
        await message.fill("words that took a while to write")
        await page.keyboard.press("Enter")

        await expect(page.locator("#notices")).to_contain_text("You are not signed in")
        await expect(message).to_have_value("words that took a while to write")
        await fine(window, "ended-session")

        await page.context.add_cookies([cookie])  # type: ignore[list-item]
        await message.press("Enter")
        await answered(page, 1)

        await page.goto(f"{running.address}/account")
        await page.get_by_role("button", name="Dark").click()
        await page.reload()
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
        await fine(window, "account-dark")


async def test_an_open_step_stays_open_while_the_answer_grows(running: Running) -> None:
    async with browser(name="open-step") as window:
        page = window.page
        await new_project(page, running, "Open")
        message = page.get_by_label("Message to Joule")
        await message.fill("save “one two three” as note.txt and list the files")
        await page.keyboard.press("Enter")
        await page.locator(".step summary").first.click()
        await answered(page, 1)

        assert await page.locator(".step").first.get_attribute("open") is not None
        await asyncio.sleep(0.2)
        await fine(window, "open-step")
