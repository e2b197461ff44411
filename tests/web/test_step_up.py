"""A permission that an account lacks, by way of the pages: the card, the way to give it, and the run that goes on."""

import html
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from joule.kernel.settings import Settings
from joule.web.app import build_app
from tests.support.connecting import Shop, shop
from tests.support.scripted_model import Says, ScriptedModel
from tests.web.conftest import Site
from tests.web.test_conversation import HTMX, begin, until, working

SCRIPT = [Says(calls=[("demo_crm_read_campaigns", {"status": "running"})]), Says(text="There they are.")]
WITH_A_PORT = "http://127.0.0.1:8100"  # the demonstration sends nobody back elsewhere


@pytest.fixture
async def place(settings: Settings) -> AsyncIterator[tuple[Site, Shop]]:
    model = ScriptedModel(script=SCRIPT)
    async with shop(settings, model=model) as found:
        yield Site(app=build_app(found.home.house), home=found.home, model=model), found


async def test_the_card_names_the_permission_and_leads_to_where_it_is_given_and_the_run_goes_on(
    place: tuple[Site, Shop],
) -> None:
    site, here = place
    made = await here.connect("contacts.read")
    async with site.signed_in() as client, working(site):
        client.base_url = WITH_A_PORT
        task, page = await begin(site, client, "Show the running campaigns")
        await until(site, task, "waiting")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        asking = html.unescape((await client.get(thread[0])).text)
        link = re.search(r'href="(/chat/permissions/[^"]+)"', asking)
        assert link is not None
        led = (await client.get(link[1])).headers["location"]
        assert led.startswith("/admin/integrations/demo_crm?")
        given = {name: values[0] for name, values in parse_qs(urlsplit(led).query).items()}
        there = await client.get(led)
        asked = await client.post(
            "/admin/integrations/demo_crm/connect",
            data={"scope": ["contacts.read", given.pop("scope")], "mode": "more", **given},
            headers=HTMX,
        )
        back = await here.consented(asked.headers["HX-Redirect"])
        came = await client.get("/integrations/callback/demo_crm", params=back)
        await until(site, task, "done")
        done = html.unescape((await client.get(thread[0])).text)

    assert "Needs this one permission at Demo CRM" in asking
    assert "Read the pretend campaigns, their figures and their briefs." in asking
    assert "<code>campaigns.read</code>" in asking
    assert "Needs a permission" in asking
    assert "Needs your approval" not in asking
    assert "Approve once" not in asking
    assert given == {"connection": str(made.connection), "task": str(task), "return_to": thread[0]}
    assert there.status_code == 200
    assert came.headers["location"] == f"{thread[0]}#main"
    assert "There they are." in done
    assert "Needs this one permission" not in done
    assert "Demo CRM (on this computer): Read campaigns" in done
    assert "Rainy days" in done
    assert "Approved by you" not in done


async def test_whoever_goes_on_without_it_has_the_agent_told_so(place: tuple[Site, Shop]) -> None:
    site, here = place
    await here.connect("contacts.read")
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "Show the running campaigns")
        await until(site, task, "waiting")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        approval = re.search(r"/chat/approvals/([0-9a-f-]{36})", (await client.get(thread[0])).text)
        assert approval is not None
        await client.post(approval[0], data={"answer": "decline"}, headers=HTMX)
        await until(site, task, "done")
        done = html.unescape((await client.get(thread[0])).text)

    assert "Declined" in done
    told = [each.text for each in site.model.requests[-1].messages if each.role == "tool"]
    assert "a person declined it" in told[0]


async def test_what_a_letter_says_and_whom_it_reaches_stand_on_the_card_that_asks(place: tuple[Site, Shop]) -> None:
    site, here = place
    await here.connect("newsletter.send")
    letter = {"segment": "leads", "subject": "Spring <b>", "text": "It is here."}
    site.model.script = [Says(calls=[("demo_crm_send_newsletter", letter)]), Says(text="Sent.")]
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "Send the letter")
        await until(site, task, "waiting")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        asking = (await client.get(thread[0])).text

    assert "May Joule do this? Demo CRM (on this computer): Send a newsletter" in asking
    assert "<dt>Segment</dt><dd>leads</dd>" in asking
    assert "<dt>Subject</dt><dd>Spring &lt;b&gt;</dd>" in asking
    assert "It is here." in asking
    assert here.newsletters == []
