"""A document's life, walked by a person's browser: brought in, asked about, opened at its page, remembered, deleted.

Pictures of every stop are kept under `shots/`; every stop is checked for accessibility, for the content policy and for
errors in the console.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import browser
from tests.support.documents import pdf, scanned_pdf, word
from tests.support.running import Running, joule_up
from tests.support.walking import ask, fine, new_project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HANDBOOK = (
    ("Brand promise", ("Our coffee is roasted every Tuesday in small batches.", "We ship on Mondays.")),
    ("Refunds", ("Refunds are paid back to the card within five working days.",)),
    ("Wholesale", ("Wholesale partners order by noon on Thursday.",)),
)
GUIDE = (("Summer campaign", ("The summer campaign is called Kingfisher and starts on the first of June.",)),)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with joule_up() as found:
        yield found


async def test_a_document_is_brought_in_asked_about_remembered_and_forgotten(running: Running, tmp_path: Path) -> None:
    files = {
        "handbook.pdf": pdf(HANDBOOK),
        "summer.docx": word(GUIDE),
        "scan.pdf": scanned_pdf(),
    }
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    async with browser(name="knowledge") as window:
        page = window.page
        await new_project(page, running, "Harbour coffee")
        project = page.url.split("?")[0]

        await page.goto(f"{project}/knowledge")
        await fine(window, "k1-empty")
        async with page.expect_file_chooser() as choosing:
            await page.get_by_role("button", name="Choose documents").click()
        await (await choosing.value).set_files([tmp_path / file for file in files])
        documents = page.locator("#documents")
        await expect(documents.locator("li")).to_have_count(3)
        await window.shot("k2-under-way")
        await expect(documents.get_by_text("Ready")).to_have_count(2, timeout=60_000)
        await expect(documents.locator("li", has_text="scan.pdf")).to_contain_text("has no text")
        await expect(documents.locator("progress")).to_have_count(0)
        await fine(window, "k3-ready")

        await page.get_by_label("Search the documents").fill("when are refunds paid")
        await page.get_by_role("button", name="Search", exact=True).click()
        await expect(page.locator("#found")).to_contain_text("handbook.pdf, page 2")
        await fine(window, "k4-search")

        await page.goto(project)
        await ask(page, "How soon are refunds paid? And propose it for memory", 1)
        answer = page.locator(".prose").last
        await expect(answer).to_contain_text("Refunds are paid back to the card within five working days")
        await expect(page.locator(".saved")).to_contain_text("Waits for your agreement")
        await expect(page.locator(".sources")).to_contain_text("handbook.pdf, page 2")
        await fine(window, "k5-answer")
        thread = page.url

        await page.locator(".prose a", has_text="handbook.pdf, page 2").first.click()
        await expect(page.locator(".leaf mark").last).to_contain_text("Refunds are paid back")
        await expect(page.get_by_text("Page 2 of 3").first).to_be_visible()
        await expect(page.locator("mark#passage")).to_be_in_viewport()
        await fine(window, "k6-passage")

        await page.goto(f"{project}/memory")
        await expect(page.locator(".proposal")).to_contain_text("Refunds are paid back")
        await fine(window, "k7-proposal")
        await page.get_by_role("button", name=re.compile("^Remember: ")).click()
        await expect(page.locator("[id^=item-]")).to_contain_text("handbook.pdf")
        await page.get_by_role("button", name=re.compile("^Edit")).click()
        await page.get_by_label("Remembered text").fill("Refunds reach the card within five working days")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("[id^=item-]")).to_contain_text("Refunds reach the card")
        await expect(page.locator("[id^=item-]")).to_contain_text("Someone else's words")
        await fine(window, "k8-remembered")

        await page.goto(f"{project}/knowledge")
        await page.get_by_role("button", name="Delete handbook.pdf").click()
        await page.get_by_role("button", name="Yes, go on").click()
        await expect(page.locator("#receipt")).to_contain_text("handbook.pdf was deleted")
        await expect(page.locator("#receipt")).to_contain_text("Remembered items made from it")
        await fine(window, "k9-receipt")

        await page.goto(f"{project}/memory")
        await expect(page.locator("#items")).to_contain_text("Nothing is remembered")
        await page.goto(thread)
        await ask(page, "How soon are refunds paid?", 2)
        last = page.locator(".turn").last
        await expect(last.locator(".prose").last).not_to_contain_text("within five working days")
        await expect(last.locator(".prose").last).not_to_contain_text("handbook.pdf")
        await fine(window, "k10-nothing-left")
