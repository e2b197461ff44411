"""From a question to code, to a chart that can be looked at and downloaded, to its end."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from joule.kernel.settings import Settings
from tests.journeys.test_while_it_answers import opened
from tests.support.scripted_model import Says, ScriptedModel
from tests.support.walking import answered, fine

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

CHART = """
import csv, struct, zlib

rows = list(csv.DictReader(open('files/campaigns.csv')))
most = max(int(row['spend']) for row in rows)
lines = []
for row in rows:
    filled = int(row['spend']) * 300 // most
    lines += [b'\\0' + b'\\x2b\\x6c\\xb0' * filled + b'\\xff\\xff\\xff' * (320 - filled)] * 40 + [b'\\0' + b'\\xff' * 960] * 10
    print(row['channel'], row['spend'])

def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

with open('out/spend.png', 'wb') as file:
    file.write(b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 320, len(lines), 8, 2, 0, 0, 0)))
    file.write(chunk(b'IDAT', zlib.compress(b''.join(lines))) + chunk(b'IEND', b''))
with open('out/spend.csv', 'w') as file:
    file.write('channel,spend\\n' + ''.join(f"{row['channel']},{row['spend']}\\n" for row in rows))
"""


@dataclass(kw_only=True)
class MovedClock:
    """The computer's clock, some time later."""

    later: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later


async def test_a_question_becomes_code_a_chart_a_download_and_ends(settings: Settings) -> None:
    clock = MovedClock()
    script = [
        Says(calls=[("run_python", {"code": CHART, "files": ["campaigns.csv"]})]),
        Says(text="The chart and the numbers are ready."),
    ]
    async with opened(settings, ScriptedModel(script=script), "sandbox", clock=clock) as it:
        await it.site.home.upload("campaigns.csv", b"channel,spend\nsearch,120\nmail,40\nsocial,90\n")
        page, base = it.page, f"/projects/{it.site.home.project}/artifacts"
        await it.send("Chart spend per channel from campaigns.csv")
        await answered(page, 1)

        step = page.locator(".step", has_text="Run Python")
        await step.locator("summary").click()
        await expect(step).to_contain_text("search 120")
        await expect(step).to_contain_text("2 artifacts came out.")
        await fine(it.window, "sandbox-card")
        await page.get_by_role("link", name="spend.csv, spend.png").first.click()

        await expect(page.locator(".things li")).to_have_count(2)
        await expect(page.locator(".things")).to_contain_text("until")
        await fine(it.window, "sandbox-list")
        await page.get_by_role("link", name="spend.png", exact=True).click()
        picture = page.get_by_role("img", name="Preview of spend.png")
        await expect(picture).to_be_visible()
        assert await picture.evaluate("image => image.naturalWidth") == 320
        await fine(it.window, "sandbox-chart")
        async with page.expect_download() as arriving:
            await page.get_by_role("button", name="Download").click()
        assert (await arriving.value).suggested_filename == "spend.png"

        clock.later = timedelta(days=7, minutes=1)  # the sign-in has ended by then too
        address = page.url.split("/projects/")[0]
        await page.goto(f"{address}/sign-in/link?token={await it.site.link()}")
        await page.get_by_role("button", name="Sign in").click()
        await page.locator("message-composer").wait_for()
        await page.goto(f"{address}{base}")
        await expect(page.locator(".empty")).to_contain_text("Nothing here")
        await fine(it.window, "sandbox-ended")
        assert await it.window.wrong() == []
