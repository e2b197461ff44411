"""The pages of integrations: plain words before, an honest account after, and nothing secret at any time."""

import html
import re

import httpx

from integrations.catalogue.load import catalogue
from joule.kernel.principal import Role
from tests.web.conftest import Site
from tests.web.connected import connected

DEMO = "/admin/integrations/demo_crm"


def text_of(answer: httpx.Response) -> str:
    """A page as a reader sees it: no tags, one space between words."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def boxes(answer: httpx.Response, name: str) -> dict[str, bool]:
    """The boxes of a form, and whether each is ticked."""
    found = re.findall(rf'<input type="checkbox"[^>]* name="{name}" value="([^"]+)"[^>]*>', answer.text)
    ticked = re.findall(rf'<input type="checkbox"[^>]* name="{name}" value="([^"]+)"[^>]* checked[^>]*>', answer.text)
    return {each: each in ticked for each in found}


async def test_an_empty_house_says_how_to_begin(site: Site) -> None:
    async with site.signed_in() as client:
        page = text_of(await client.get("/admin/integrations"))

    assert "No account is connected yet." in page
    assert all(provider.title in page for provider in catalogue().search())


async def test_the_catalogue_is_searched_by_name_and_by_purpose(site: Site) -> None:
    async with site.signed_in() as client:
        found = text_of(await client.get("/admin/integrations", params={"q": "demo newsletter"}))
        nothing = text_of(await client.get("/admin/integrations", params={"q": "zzzz"}))

    assert "Demo CRM" in found
    assert "1 provider for" in found
    assert "No provider matches." in nothing
    assert "Demo CRM" not in nothing


async def test_every_provider_says_in_words_what_joule_could_do(site: Site) -> None:
    async with site.signed_in() as client:
        pages = {each.id: await client.get(f"/admin/integrations/{each.id}") for each in catalogue().search()}

    for provider, answer in pages.items():
        known, page = catalogue().provider(provider), text_of(answer)
        words = [*known.could.values(), known.token_life_words, known.revocation.kills]
        words += [each.words for each in known.scopes.values()]
        assert answer.status_code == 200
        assert [each for each in words if " ".join(each.split()) not in page] == [], provider
        assert ("Not verified" in page) is bool(known.unverified), provider
        doubts = re.findall(r"<summary>.*?Not verified.*?</summary>(.*?)</details>", answer.text, flags=re.DOTALL)
        assert sum(each.count("<li>") for each in doubts) == len(known.unverified), provider


async def test_reading_is_ticked_and_writing_is_not(site: Site) -> None:
    async with site.signed_in() as client:
        ticked = boxes(await client.get(DEMO), "scope")

    assert ticked == {
        "contacts.read": True,
        "campaigns.read": True,
        "notes.write": False,
        "newsletter.send": False,
        "ads.spend": False,
    }


async def test_one_more_permission_is_asked_for_beside_those_the_account_has(site: Site) -> None:
    account = await connected(site.home, granted=("contacts.read",))
    async with site.signed_in() as client:
        answer = await client.get(DEMO, params={"scope": "notes.write"})

    assert {name for name, ticked in boxes(answer, "scope").items() if ticked} == {"contacts.read", "notes.write"}
    assert f'name="connection" value="{account.connection}"' in answer.text
    assert re.search(r'id="mode-more"[^>]*checked', answer.text)


async def test_a_connection_shows_what_was_asked_and_what_was_given(site: Site) -> None:
    account = await connected(site.home, requested=("contacts.read", "notes.write"), granted=("contacts.read",))
    async with site.signed_in() as client:
        page = text_of(await client.get(f"/admin/connections/{account.connection}"))

    for words in ("ada@harbour.test", "Works", "Ada", "Asked for, not granted", "granted less than was asked for"):
        assert words in page
    assert "Needs notes.write" in page


async def test_an_account_that_needs_reconnecting_says_so_and_leads_there(site: Site) -> None:
    account = await connected(site.home, status="needs_reconnecting")
    async with site.signed_in() as client:
        answer = await client.get(f"/admin/connections/{account.connection}")

    assert "Needs reconnecting" in text_of(answer)
    assert f'href="{DEMO}"' in answer.text


async def test_the_warning_names_what_stops_and_who_shares_the_consent(site: Site) -> None:
    first = await connected(site.home)
    await connected(site.home, grant=first.grant)
    async with site.signed_in() as client:
        page = text_of(await client.get(f"/admin/connections/{first.connection}/revoke"))

    assert "Read contacts" in page
    assert "share one consent" in page
    assert "Disconnect and delete what was synced" in page


async def test_what_ended_is_told_for_each_token(site: Site) -> None:
    over = await connected(site.home, ended=("refresh:revoked:told", "access:failed:status_503"))
    async with site.signed_in() as client:
        page = text_of(await client.get(f"/admin/connections/{over.connection}"))

    assert "Refresh token The provider confirmed it. Revoked" in page
    assert "Remove Joule in its settings to be sure. Not confirmed" in page
    assert "Every worker refuses" in page


async def test_a_token_that_cannot_be_named_is_said_to_live_to_its_end(site: Site) -> None:
    over = await connected(site.home, ended=("refresh:revoked:told", "access:unsupported:by_refresh_token"))
    async with site.signed_in() as client:
        page = text_of(await client.get(f"/admin/connections/{over.connection}"))

    assert "This one lives to its own end" in page
    assert "has no way to be told" not in page


async def test_a_provider_being_told_is_watched_until_it_has_answered(site: Site) -> None:
    over = await connected(site.home, ended=())
    async with site.signed_in() as client:
        answer = await client.get(f"/admin/connections/{over.connection}")

    assert "is being told" in text_of(answer)
    assert 'hx-trigger="every 2s"' in answer.text


async def test_an_ended_connection_cannot_be_ended_again(site: Site) -> None:
    over = await connected(site.home, ended=("refresh:revoked:told",))
    async with site.signed_in() as client:
        answer = await client.get(f"/admin/connections/{over.connection}/revoke")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/admin/connections/{over.connection}"


async def test_nobody_is_said_to_be_told_where_there_is_no_way_to_tell(site: Site) -> None:
    silent = await connected(site.home, "mailchimp", requested=("everything",), granted=("everything",))
    hears = await connected(site.home, account="bo@harbour.test")
    async with site.signed_in() as client:
        page = text_of(await client.get(f"/admin/connections/{silent.connection}/revoke"))
        other = text_of(await client.get(f"/admin/connections/{hears.connection}/revoke"))

    assert "and tells Mailchimp" not in page
    assert "the provider has no way to be told" in page
    assert "and tells Demo CRM" in other


async def test_support_sees_health_and_neither_account_nor_permission(site: Site) -> None:
    account = await connected(site.home, status="needs_reconnecting")
    async with site.signed_in(Role.SUPPORT) as client:
        page = text_of(await client.get("/support/connections"))
        closed = await client.get(f"/admin/connections/{account.connection}")

    assert "Needs reconnecting" in page
    assert str(account.connection) in page
    assert "ada@harbour.test" not in page
    assert "contacts.read" not in page
    assert closed.status_code == 403


async def test_the_connections_of_another_house_are_not_there(site: Site) -> None:
    async with site.signed_in() as client:
        answer = await client.get("/admin/connections/0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f")

    assert answer.status_code == 404


async def test_a_provider_nobody_knows_is_not_there(site: Site) -> None:
    async with site.signed_in() as client:
        assert (await client.get("/admin/integrations/nobody")).status_code == 404
        assert (await client.get("/integrations/callback/nobody?state=a&code=b")).status_code == 404


async def test_an_account_whose_connector_was_switched_off_is_still_shown_and_can_be_disconnected(site: Site) -> None:
    gone = await connected(site.home, "bluebike_crm", granted=("customers.read",), requested=("customers.read",))
    works = await connected(site.home, account="bo@harbour.test")

    async with site.signed_in() as client:
        listed = text_of(await client.get("/admin/integrations"))
        page = text_of(await client.get(f"/admin/connections/{gone.connection}"))
        asked = await client.get(f"/admin/connections/{gone.connection}/revoke")
        ended = await client.post(f"/admin/connections/{gone.connection}/revoke", data={"synced": "keep"})
        after = text_of(await client.get(f"/admin/connections/{gone.connection}"))
        other = text_of(await client.get(f"/admin/connections/{works.connection}"))

    assert "bluebike_crm: ada@harbour.test" in listed
    assert "bo@harbour.test" in listed
    assert "Switched off" in page
    assert "Switched off" not in other
    assert (asked.status_code, ended.status_code) == (200, 303)
    assert "Disconnected" in after


async def test_support_sees_that_a_connector_was_switched_off(site: Site) -> None:
    await connected(site.home, "bluebike_crm")

    async with site.signed_in(Role.SUPPORT) as client:
        page = text_of(await client.get("/support/connections"))

    assert "Switched off" in page
    assert "ada@harbour.test" not in page
