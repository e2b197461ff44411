"""From a question to code, to a chart that can be looked at and downloaded, to its end."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from joule.kernel.settings import Settings
from joule.llm.providers.offline.model import OfflineModel
from tests.journeys.test_while_it_answers import opened
from tests.support.walking import answered, fine

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

REQUEST = "Chart spend against signups per channel from campaigns.csv and give me an Excel with the numbers."


@dataclass(kw_only=True)
class MovedClock:
    """The computer's clock, some time later."""

    later: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later


async def test_a_question_becomes_code_a_chart_and_a_workbook_a_download_and_ends(settings: Settings) -> None:
    clock = MovedClock()
    async with opened(settings, OfflineModel(), "sandbox", clock=clock) as it:
        await it.site.home.upload("campaigns.csv", b"channel,spend,signups\nsearch,120,30\nmail,40,25\nsocial,90,9\n")
        page, base = it.page, f"/projects/{it.site.home.project}/artifacts"
        await it.send(REQUEST)
        await answered(page, 1)

        step = page.locator(".step", has_text="Run Python")
        await step.locator("summary").click()
        await expect(step).to_contain_text("search  120  30")
        await expect(step).to_contain_text("1 artifact came out.")
        await fine(it.window, "sandbox-card")
        await page.get_by_role("link", name="spend-against-signups-per-channel.xlsx").first.click()

        preview = page.get_by_role("region", name="First rows of Numbers")
        await expect(preview).to_contain_text("Total")
        await fine(it.window, "sandbox-workbook")
        await page.goto(page.url.split("/projects/")[0] + base)
        await expect(page.locator(".things li")).to_have_count(2)
        await expect(page.locator(".things")).to_contain_text("until")
        await fine(it.window, "sandbox-list")
        await page.get_by_role("link", name="spend-against-signups-per-channel.json", exact=True).click()
        await expect(page.locator(".chart circle")).to_have_count(3)
        await fine(it.window, "sandbox-chart")
        async with page.expect_download() as arriving:
            await page.get_by_role("button", name="Download as a picture (SVG)").click()
        assert (await arriving.value).suggested_filename == "spend-against-signups-per-channel.svg"

        clock.later = timedelta(days=7, minutes=1)  # the sign-in has ended by then too
        address = page.url.split("/projects/")[0]
        await page.goto(f"{address}/sign-in/link?token={await it.site.link()}")
        await page.get_by_role("button", name="Sign in").click()
        await page.locator("message-composer").wait_for()
        await page.goto(f"{address}{base}")
        await expect(page.locator(".empty")).to_contain_text("Nothing here")
        await fine(it.window, "sandbox-ended")
        assert await it.window.wrong() == []
