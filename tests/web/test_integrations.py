"""The pages of integrations: plain words before, an honest account after, and nothing secret at any time."""

import html
import re

import httpx

from integrations import queries
from integrations.catalogue.load import catalogue
from joule.kernel.principal import Role
from memory.items.actions import Remember
from memory.items.kinds import SourceKind
from memory.items.results import SourceSpan
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
    assert "Connect again" not in page + after  # its page is not there any more


async def test_an_account_nobody_has_named_says_why_and_what_helps(site: Site) -> None:
    asked = await connected(site.home, account="", name_at=site.home.house.clock.now())
    silent = await connected(site.home, "meta_ads_pages", account="", granted=("ads_read",), requested=("ads_read",))
    async with site.signed_in() as client:
        first = text_of(await client.get(f"/admin/connections/{asked.connection}"))
        second = text_of(await client.get(f"/admin/connections/{silent.connection}"))

    assert "has not said yet whose account this is. Joule asks again by itself." in first
    assert "Connect it again to have it asked once more." in second


async def test_what_was_synced_is_listed_before_anything_is_deleted(site: Site) -> None:
    account = await connected(site.home)
    other = await connected(site.home, account="bo@harbour.test")
    here, house, owner = f"/admin/connections/{account.connection}", site.home.house, site.home.owner
    read = SourceSpan(kind=SourceKind.CONNECTION, source=account.connection)
    items = [f"The spring offer is number {number}" for number in range(3)]
    for words in items:
        await house.commands.perform(Remember(principal=owner, project=site.home.project, text=words, sources=(read,)))
    async with site.signed_in() as client:
        listed = text_of(await client.get(f"{here}/revoke"))
        nothing = text_of(await client.get(f"/admin/connections/{other.connection}/revoke"))
        answer = await client.post(f"{here}/revoke", data={"synced": "delete"})
        gone = text_of(await client.get(answer.headers["location"]))

    assert "3 things synced from it are in Joule." in listed
    assert all(words in listed for words in items)
    assert "Remembered, here since" in listed
    assert "Nothing was synced from it." in nothing
    assert "3 things synced from it were deleted, as you chose." in gone


async def test_an_organisation_allows_only_what_it_names_and_sees_what_that_stops(site: Site) -> None:
    account = await connected(site.home)
    async with site.signed_in() as client:
        before = text_of(await client.get("/admin/integrations"))
        saved = await client.post("/admin/integrations/allow-list", data={"mode": "listed"})
        after = await client.get(saved.headers["location"])
        refused = text_of(await client.get(f"/admin/connections/{account.connection}"))
        page = await client.get("/admin/integrations/hubspot")
        named = {"allowed": "yes", "permitted": list(boxes(page, "permitted"))}
        await client.post("/admin/integrations/hubspot/rule", data=named)
        once_named = await client.get("/admin/integrations/hubspot")
        again = await client.post("/admin/integrations/allow-list", data={"mode": "all"})
        everything = text_of(await client.get(again.headers["location"]))
    async with site.home.house.database.read(site.home.org) as session:
        rule = await queries.rule(session, site.home.org, "hubspot")

    assert "Otherwise the accounts at Demo CRM (on this computer) stop working at once." in before
    assert "What may be connected was saved." in text_of(after)
    assert "HubSpot Customer records, campaigns and marketing e-mail. At most: Spend money, delete" in text_of(after)
    assert text_of(after).count("Not allowed") == len(catalogue().providers) + 1  # and the account
    assert "so Joule refuses to use the account and does not renew its access." in refused
    assert "See what is allowed" in refused
    assert "Your organisation does not allow HubSpot" in text_of(page)
    ticked = {name for name, is_ticked in boxes(page, "permitted").items() if is_ticked}
    assert ticked == {
        "oauth",
        "crm.objects.contacts.read",
        "marketing.campaigns.read",
        "marketing.campaigns.revenue.read",
    }
    assert "Your organisation does not allow HubSpot" not in text_of(once_named)
    assert rule is not None
    assert rule.scopes is not None  # by name: none comes in with a newer catalogue
    assert "Not allowed" not in everything


async def test_support_sees_that_a_connector_was_switched_off(site: Site) -> None:
    await connected(site.home, "bluebike_crm")

    async with site.signed_in(Role.SUPPORT) as client:
        page = text_of(await client.get("/support/connections"))

    assert "Switched off" in page
    assert "ada@harbour.test" not in page
