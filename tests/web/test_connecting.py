"""There and back: an account is connected by whoever set out, in the same browser, once; and ended for good."""

import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlmodel import col, select

from integrations import due, queries
from integrations.actions import TellProvider
from integrations.demo import CLIENT_SECRET
from integrations.demo.app import build_app as build_demo
from integrations.tables import PendingAuthorizationRow
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import IntegrationSettings, Settings, WebSettings
from joule.web.app import build_app
from tests.integrations.demo.conftest import served
from tests.support.clock import StoppedClock
from tests.support.house import home
from tests.support.scripted_model import ScriptedModel
from tests.web.conftest import Site
from tests.web.test_integrations import DEMO, text_of

READING = {"mode": "read", "scope": ["contacts.read", "campaigns.read"]}
EVERYTHING = {"mode": "more", "scope": ["contacts.read", "campaigns.read", "notes.write"]}
CALLBACK = "/integrations/callback/demo_crm"


@dataclass(kw_only=True)
class Abroad(Site):
    """A site, with the demonstration running beside it."""

    clock: StoppedClock

    async def set_out(self, client: httpx.AsyncClient, chosen: dict[str, object] = READING) -> str:
        """Where the browser is sent to."""
        answer = await client.post(f"{DEMO}/connect", data=chosen, headers={"HX-Request": "true"})
        assert answer.status_code == 200, answer.text
        return answer.headers["hx-redirect"]

    async def consent(self, url: str, *, allow: tuple[str, ...] | None = None) -> str:
        """What the provider answers to a person who ticks `allow` (None: everything), as the address to come back to."""
        async with httpx.AsyncClient(trust_env=False) as provider:
            page = await provider.get(url)
            ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
            assert ticket is not None, page.text
            asked = dict(parse_qsl(urlsplit(url).query))["scope"].split()
            form = {"ticket": ticket[1], "scope": list(asked if allow is None else allow), "answer": "allow"}
            host = urlsplit(url).netloc
            answer = await provider.post(f"http://{host}/oauth/authorize", data=form)
        back = urlsplit(answer.headers["location"])
        return f"{back.path}?{back.query}"

    async def come_back(self, client: httpx.AsyncClient, address: str) -> httpx.Response:
        """As a browser comes from another site."""
        return await client.get(address, headers={"Sec-Fetch-Site": "cross-site"})

    async def connections(self) -> list[queries.ConnectionView]:
        async with self.home.house.database.read(self.home.org) as session:
            return list(await queries.connections(session, self.home.house.vault, self.home.org))

    async def tell(self, revocation: object) -> None:
        system = Principal(org=self.home.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        await self.home.house.commands.perform(TellProvider(principal=system, revocation=revocation))  # type: ignore[arg-type]


@pytest.fixture
async def abroad(settings: Settings, clock: StoppedClock) -> AsyncIterator[Abroad]:
    async with served(build_demo(now=clock.now)) as port:
        beside = settings.model_copy(
            update={
                "integrations": IntegrationSettings(demo_port=port),
                "web": WebSettings(base_url="http://127.0.0.1:8100"),
            }
        )
        model = ScriptedModel(script=[])
        async with home(beside, model=model, clock=clock) as found:
            yield Abroad(app=build_app(found.house), home=found, model=model, clock=clock)


async def test_an_account_is_connected_for_reading_and_shown_as_it_was_granted(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        back = await abroad.consent(await abroad.set_out(client), allow=("contacts.read",))
        answer = await abroad.come_back(client, back)
        page = await client.get(answer.headers["location"])

    assert answer.status_code == 303
    assert answer.headers["location"].endswith("#main")
    assert "The account is connected." in text_of(page)
    assert "granted less than was asked for" in text_of(page)
    (made,) = await abroad.connections()
    assert made.granted == ("contacts.read",)


async def test_where_a_provider_splits_nothing_joule_itself_keeps_to_reading(abroad: Abroad) -> None:
    form = {"client_id": "our-app", "client_secret": "s3cret-of-ours"}
    async with abroad.signed_in() as client:
        await client.post("/admin/integrations/google_ads/client", data=form)
        answer = await client.post("/admin/integrations/google_ads/connect", data={"mode": "read"})

    (url,) = re.findall(r'href="(https://accounts[^"]+)"', answer.text)
    asked = dict(parse_qsl(urlsplit(html.unescape(url)).query))
    identity = "openid https://www.googleapis.com/auth/userinfo.email"  # whose account it is
    assert asked["scope"] == f"{identity} https://www.googleapis.com/auth/adwords"
    async with abroad.home.house.database.read(abroad.home.org) as session:
        assert (await session.scalars(select(col(PendingAuthorizationRow.read_only)))).one()


async def test_without_a_script_a_link_leads_to_the_provider(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        answer = await client.post(f"{DEMO}/connect", data=READING)

    assert answer.status_code == 200
    assert re.search(r'href="http://127\.0\.0\.1:\d+/oauth/authorize\?', answer.text)


async def test_choosing_nothing_says_so_and_keeps_the_choice(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        answer = await client.post(f"{DEMO}/connect", data={"mode": "more"})

    assert answer.status_code == 422
    assert re.search(r'id="mode-more"[^>]*checked', answer.text)
    assert await abroad.connections() == []


async def test_the_way_back_that_asked_for_more_leads_to_where_it_was_asked(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        await abroad.come_back(client, await abroad.consent(await abroad.set_out(client)))
        (made,) = await abroad.connections()
        more = {**EVERYTHING, "connection": str(made.connection), "return_to": "/projects"}
        answer = await abroad.come_back(client, await abroad.consent(await abroad.set_out(client, more)))

    assert answer.headers["location"] == "/projects#main"
    (now,) = await abroad.connections()
    assert now.connection == made.connection
    assert "notes.write" in now.granted


@pytest.mark.parametrize("path", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"])
async def test_coming_back_never_leads_to_another_site(abroad: Abroad, path: str) -> None:
    async with abroad.signed_in() as client:
        answer = await client.post(f"{DEMO}/connect", data={**READING, "return_to": path})

    assert answer.status_code == 422


async def refused(abroad: Abroad, client: httpx.AsyncClient, address: str) -> tuple[str, str]:
    """The word an answer is refused with, and the page that explains it. Nothing was connected."""
    answer = await abroad.come_back(client, address)
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert location.path == "/integrations/refused"
    assert location.fragment == "main"  # else a browser would carry the fragment of a forged address along
    page = await client.get(answer.headers["location"])
    assert page.status_code >= 400
    word = dict(parse_qsl(location.query))["why"]
    assert f"<code>{word}</code>" in page.text
    return word, text_of(page)


@pytest.mark.parametrize(
    ("forged", "word"),
    [
        (CALLBACK, "incomplete"),  # what a server sees of …#access_token=EVIL
        (f"{CALLBACK}?access_token=EVIL&state=abc", "incomplete"),
        (f"{CALLBACK}?code=abc", "incomplete"),
        (f"{CALLBACK}?code={'x' * 5000}&state=abc", "incomplete"),
        (f"{CALLBACK}?code=abc&state=never-issued", "unusable"),
        (f"{CALLBACK}?code=abc&state=one&state=two", "unusable"),
        (f"{CALLBACK}?error=<script>alert(1)</script>&error_description=<b>EVIL&state=never-issued", "unusable"),
    ],
)
async def test_rule_01_an_answer_nobody_asked_for_connects_nothing(abroad: Abroad, forged: str, word: str) -> None:
    async with abroad.signed_in() as client:
        said, page = await refused(abroad, client, forged)

        audit = await client.get("/admin/audit")

    assert said == word
    assert "EVIL" not in page
    assert "script" not in page
    assert await abroad.connections() == []
    assert "integrations.finish_connection" in audit.text  # it stands in the journal, as failed
    assert "EVIL" not in audit.text


async def test_an_answer_works_once(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        back = await abroad.consent(await abroad.set_out(client))
        assert (await abroad.come_back(client, back)).headers["location"].startswith("/admin/connections/")

        word, page = await refused(abroad, client, back)

    assert word == "replay"
    assert "This answer was used already" in page
    assert len(await abroad.connections()) == 1


async def test_an_answer_to_another_browser_of_the_same_person_connects_nothing(abroad: Abroad) -> None:
    async with abroad.signed_in() as client, abroad.signed_in() as other:
        back = await abroad.consent(await abroad.set_out(client))
        word, page = await refused(abroad, other, back)

    assert word == "unusable"
    assert "the same person, in the same browser" in page
    assert await abroad.connections() == []


async def test_rule_05_an_answer_to_another_person_connects_nothing(abroad: Abroad) -> None:
    async with abroad.signed_in() as client, abroad.signed_in(Role.ADMIN) as other:
        back = await abroad.consent(await abroad.set_out(client))
        word, _ = await refused(abroad, other, back)

    assert word == "unusable"
    assert await abroad.connections() == []


async def test_rule_07_an_answer_of_one_provider_is_nothing_to_another(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        back = await abroad.consent(await abroad.set_out(client))
        word, _ = await refused(abroad, client, back.replace("demo_crm", "hubspot"))

    assert word == "unusable"
    assert await abroad.connections() == []


async def test_an_answer_after_ten_minutes_connects_nothing(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        url = await abroad.set_out(client)
        abroad.clock.advance(timedelta(minutes=9))
        back = await abroad.consent(url)
        abroad.clock.advance(timedelta(minutes=1, seconds=1))
        word, page = await refused(abroad, client, back)

    assert word == "expired"
    assert "This took too long" in page


async def test_a_no_at_the_provider_is_told_in_our_words(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        state = dict(parse_qsl(urlsplit(await abroad.set_out(client)).query))["state"]
        hostile = f"{CALLBACK}?error=access_denied&error_description=<script>EVIL</script>&state={state}"
        word, page = await refused(abroad, client, hostile)

    assert word == "declined"
    assert "EVIL" not in page


async def test_a_code_the_provider_never_issued_connects_nothing(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        state = dict(parse_qsl(urlsplit(await abroad.set_out(client)).query))["state"]
        word, page = await refused(abroad, client, f"{CALLBACK}?code=made-up-code-of-some-length&state={state}")

    assert word in {"unusable", "refused"}
    assert "No account was connected" in page
    assert await abroad.connections() == []


async def test_whoever_is_not_signed_in_any_more_signs_in_and_no_code_goes_along(abroad: Abroad) -> None:
    async with abroad.stranger() as client:
        answer = await abroad.come_back(client, f"{CALLBACK}?code=SECRETCODE&state=SECRETSTATE")

    assert answer.status_code == 303
    assert "SECRET" not in answer.headers["location"]


async def test_disconnecting_ends_it_here_at_once_and_tells_what_ended_there(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        await abroad.come_back(client, await abroad.consent(await abroad.set_out(client)))
        (made,) = await abroad.connections()
        here = f"/admin/connections/{made.connection}"

        answer = await client.post(f"{here}/revoke", data={"synced": "keep"})
        at_once = text_of(await client.get(answer.headers["location"]))
        early = await client.get(f"{here}/receipt")
        (over,) = await abroad.connections()
        await abroad.tell(await revocation_of(abroad))
        after = await client.get(here)
        receipt = await client.get(f"{here}/receipt")

    assert "The account is disconnected." in at_once
    assert "is being told" in at_once
    assert over.is_over
    assert "Download the receipt as it stands" in at_once
    assert "Refresh token Joule's copy of it is destroyed; the provider has not answered yet. Being told" in at_once
    first, last = (json.loads(each.json()["receipt"]) for each in (early, receipt))
    assert (first["final"], {each["outcome"] for each in first["tokens"]}) == (False, {"waiting"})
    assert (last["final"], last["state"], last["synced"]) == (True, "done", first["synced"])
    assert text_of(after).count("Revoked") >= 1
    assert receipt.status_code == 200
    assert receipt.headers["content-disposition"].startswith("attachment")
    assert receipt.json()["algorithm"] == "Ed25519"


async def revocation_of(abroad: Abroad) -> object:
    now = abroad.home.house.clock.now()
    async with abroad.home.house.database.read(abroad.home.org) as session:
        (found,) = await due.revocations(session, abroad.home.org, now=now)
    return found


async def test_a_client_secret_is_saved_and_never_shown_again(abroad: Abroad) -> None:
    form = {"client_id": "our-app", "client_secret": "s3cret-of-ours"}
    async with abroad.signed_in() as client:
        answer = await client.post("/admin/integrations/hubspot/client", data=form)
        page = await client.get(answer.headers["location"])

    assert answer.status_code == 303
    assert "our-app" in page.text
    assert "s3cret-of-ours" not in page.text
    assert "Connect HubSpot" in text_of(page)


async def test_without_an_app_nothing_can_be_connected_and_the_way_to_one_is_shown(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        page = text_of(await client.get("/admin/integrations/hubspot"))
        answer = await client.post("/admin/integrations/hubspot/connect", data={"mode": "read"})

    assert "has to be known to HubSpot first" in page
    assert "/integrations/callback/hubspot" in page
    assert answer.status_code == 422


async def test_what_the_organisation_does_not_allow_cannot_be_asked_for(abroad: Abroad) -> None:
    rule = {"allowed": "yes", "permitted": ["contacts.read"]}
    async with abroad.signed_in() as client:
        assert (await client.post(f"{DEMO}/rule", data=rule)).status_code == 303
        page = text_of(await client.get(DEMO))
        answer = await client.post(f"{DEMO}/connect", data=EVERYTHING)
        assert await abroad.set_out(client, {"mode": "read", "scope": ["contacts.read"]})
        assert (await client.post(f"{DEMO}/rule", data={})).status_code == 303
        closed = text_of(await client.get(DEMO))
        nothing = await client.post(f"{DEMO}/connect", data={"mode": "read", "scope": ["contacts.read"]})

    assert "Your organisation does not allow it." in page
    assert answer.status_code != 200
    assert "does not allow Demo CRM" in closed
    assert nothing.status_code != 200


async def test_no_page_ever_holds_a_token_or_a_secret(abroad: Abroad) -> None:
    async with abroad.signed_in() as client:
        back = await abroad.consent(await abroad.set_out(client))
        code = dict(parse_qsl(urlsplit(back).query))["code"]
        await abroad.come_back(client, back)
        (made,) = await abroad.connections()
        here = f"/admin/connections/{made.connection}"
        pages = [
            await client.get(each) for each in ("/admin/integrations", DEMO, here, f"{here}/revoke", "/admin/audit")
        ]

    for page in pages:
        assert page.status_code == 200
        assert code not in page.text
        assert CLIENT_SECRET not in page.text
