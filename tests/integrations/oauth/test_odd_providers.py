"""Each provider that departs from the standard comes out as the standard's own words, or as a clear refusal."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Literal, TypeVar

import pytest

from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Refresh, Revocation
from integrations.oauth.errors import (
    OAUTH_ERRORS,
    AnswerRefused,
    ClientRefused,
    GrantDead,
    HostRefused,
    ProviderBusy,
    RequestRefused,
)
from integrations.oauth.strategies import STRATEGIES
from integrations.oauth.swapping import Instagram
from integrations.oauth.wire import ClientIdentity, Secret, new_state, new_verifier
from joule.kernel.errors import Misconfigured
from tests.integrations.oauth.conftest import to_odd, tokens_of
from tests.support.clock import StoppedClock
from tests.support.odd_provider import (
    CLIENT,
    InstagramLike,
    LinkedInLike,
    MailchimpLike,
    MetaLike,
    NotionLike,
    OddProvider,
    OldHubSpotLike,
    SalesforceLike,
    ShopifyLike,
    SlackLike,
    TikTokAdsLike,
    fields,
)
from tests.support.oidc import CALLBACK
from tests.support.provider_server import Json

P = TypeVar("P", bound=OddProvider)
POST: dict[str, Any] = {"token_auth": "client_secret_post"}


class Street:
    """Opens odd providers and closes them when the test is over."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def open(self, provider: P) -> P:
        await self._stack.enter_async_context(provider.running())
        return provider


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    async with AsyncExitStack() as stack:
        yield Street(stack)


def test_every_strategy_the_catalogue_names_exists() -> None:
    named = {one.strategy for one in catalogue().providers.values() if one.strategy is not None}

    assert named - set(STRATEGIES) == set()


def test_every_error_a_strategy_translates_to_is_one_of_the_standard_s() -> None:
    translated = {error for each in STRATEGIES.values() for error in getattr(each, "_ERRORS", {}).values()}

    assert translated
    assert translated - OAUTH_ERRORS == set()


async def test_a_strategy_that_does_not_exist_stops_at_once(street: Street) -> None:
    odd = await street.open(OddProvider())

    with pytest.raises(Misconfigured, match="strategy"):
        to_odd(odd, strategy="none_such")


async def test_slack_s_token_is_taken_from_where_it_is(street: Street) -> None:
    slack = await street.open(SlackLike())
    endpoint = to_odd(slack, strategy="slack", scope_separator=",", account=catalogue().provider("slack").account)
    team = await tokens_of(endpoint)
    slack.nested = True
    person = await tokens_of(endpoint, "code-2")

    for tokens in (team, person):
        assert tokens.scopes == ("channels:read", "chat:write")
        assert dict(tokens.extra) == {"team": "T1", "account": "Blue Bike", "account_id": "T1"}
        assert tokens.refresh_token is not None
    assert team.access_token != person.access_token


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"ok": False, "error": "code_already_used"}, GrantDead),
        ({"ok": False, "error": "token_revoked"}, GrantDead),
        ({"ok": False, "error": "bad_client_secret"}, ClientRefused),
        ({"ok": False, "error": "ratelimited"}, ProviderBusy),
        ({"ok": False, "error": "fatal_error"}, ProviderBusy),
        ({"ok": False, "error": "canary words"}, RequestRefused),
        ({"ok": False}, RequestRefused),
        ({"ok": "true", "access_token": "a"}, RequestRefused),
        ({"ok": True, "authed_user": {"id": "U"}}, AnswerRefused),
        ({"ok": True, "authed_user": "U"}, AnswerRefused),
    ],
)
async def test_slack_s_200_is_no_success_unless_it_says_ok(street: Street, said: Any, error: type[Exception]) -> None:
    slack = await street.open(SlackLike())
    slack.will(Json(value=said))

    with pytest.raises(error) as raised:
        await tokens_of(to_odd(slack, strategy="slack"))

    assert "canary" not in str(raised.value)


async def test_slack_is_told_token_by_token(street: Street) -> None:
    slack = await street.open(SlackLike())
    told = Revocation(kind="api", url=f"{slack.base}/auth.revoke", auth="bearer")
    endpoint = to_odd(slack, strategy="slack", revocation=told)
    tokens = await tokens_of(endpoint)

    first, second = await endpoint.revoke(tokens), await endpoint.revoke(tokens)

    assert [(each.token, each.outcome) for each in first] == [("refresh", "unsupported"), ("access", "revoked")]
    assert second[1].outcome == "already_dead"


async def test_meta_s_hour_becomes_sixty_days_and_declined_permissions_are_known(street: Street) -> None:
    meta, clock = await street.open(MetaLike()), StoppedClock()
    endpoint = to_odd(
        meta, strategy="meta", clock=clock, permissions_url=f"{meta.base}/me/permissions",
        refresh=Refresh(kind="exchange"),
        revocation=Revocation(kind="api", url=f"{meta.base}/me/permissions", method="DELETE", auth="bearer"), **POST,
    )  # fmt: skip
    tokens = await tokens_of(endpoint)
    clock.advance(timedelta(days=50))
    swapped = await endpoint.refresh(tokens)
    outcomes = await endpoint.revoke(swapped)

    assert tokens.scopes == swapped.scopes == ("ads_read",)
    assert tokens.access_token.reveal().startswith("canary-lasting")
    assert swapped.expires_at == clock.now() + timedelta(seconds=5183944)
    assert [each.outcome for each in outcomes] == ["revoked"]
    with pytest.raises(GrantDead):
        await endpoint.refresh(swapped)
    clock.advance(timedelta(days=90))
    asked = len(meta.seen)
    with pytest.raises(GrantDead):
        await endpoint.refresh(tokens)
    assert len(meta.seen) == asked  # an expired token is not sent anywhere


@pytest.mark.parametrize(
    ("code", "error"), [(190, GrantDead), (4, ProviderBusy), (2, ProviderBusy), ("190", RequestRefused)]
)
async def test_meta_s_errors_are_objects(street: Street, code: Any, error: type[Exception]) -> None:
    meta = await street.open(MetaLike())
    meta.will(Json(value={"error": {"code": code, "message": "canary words"}}, status=400))

    with pytest.raises(error):
        await tokens_of(to_odd(meta, strategy="meta", **POST))


async def test_instagram_swaps_no_token_younger_than_a_day(street: Street) -> None:
    gram, clock = await street.open(InstagramLike()), StoppedClock()
    endpoint = to_odd(
        gram, with_strategy=Instagram(base=gram.base), clock=clock, refresh=Refresh(kind="exchange"), **POST
    )
    tokens = await tokens_of(endpoint)
    with pytest.raises(ProviderBusy) as young:
        await endpoint.refresh(tokens)
    clock.advance(timedelta(hours=25))

    swapped = await endpoint.refresh(tokens)

    assert (young.value.reason, young.value.retry_after) == ("too_young", 86_400.0)
    assert swapped.access_token != tokens.access_token
    assert tokens.scopes == swapped.scopes == ("instagram_business_basic",)


async def test_mailchimp_s_token_never_ends_and_knows_its_data_centre(street: Street) -> None:
    chimp = await street.open(MailchimpLike())
    endpoint = to_odd(
        chimp, strategy="mailchimp", metadata_url=f"{chimp.base}/metadata",
        per_tenant_host=r"[a-z]+[0-9]+\.api\.mailchimp\.com", refresh=Refresh(kind="none", zero_means_never=True), **POST,
    )  # fmt: skip
    tokens = await tokens_of(endpoint)
    chimp.centre = "us6.evil.com/"

    assert (tokens.expires_at, tokens.scopes) == (None, None)
    assert dict(tokens.extra) == {"account": "Blue Bike", "tenant": "us6.api.mailchimp.com"}
    with pytest.raises(AnswerRefused, match="no_data_centre"):
        await tokens_of(endpoint, "code-2")
    with pytest.raises(GrantDead):
        await endpoint.refresh(tokens)


async def test_notion_is_spoken_to_in_json(street: Street) -> None:
    notion = await street.open(NotionLike())
    told = Revocation(kind="api", url=f"{notion.base}/revoke")
    named = catalogue().provider("notion").account
    endpoint = to_odd(notion, strategy="notion", token_body="json", revocation=told, account=named)

    tokens = await endpoint.refresh(await tokens_of(endpoint))
    outcomes = await endpoint.revoke(tokens)

    assert dict(tokens.extra) == {
        "workspace": "w-1",
        "bot": "b-1",
        "account": "Blue Bike",
        "account_id": "w-1",
    }
    assert {each.outcome for each in outcomes} == {"revoked"}
    with pytest.raises(RequestRefused):
        await tokens_of(to_odd(notion, strategy="notion"), "code-2")  # as a form it does not work


async def test_shopify_forgives_a_lost_answer(street: Street) -> None:
    shopify = await street.open(ShopifyLike())
    endpoint = to_odd(shopify, strategy="shopify", scope_separator=",", token_params={"expiring": "1"}, **POST)
    tokens = await tokens_of(endpoint)
    await endpoint.refresh(tokens)  # its answer is lost

    fresh = await endpoint.refresh(tokens)

    assert fresh.scopes == ("read_products", "write_products")
    assert all(fields(each)["expiring"] == "1" for each in shopify.seen)


@pytest.mark.parametrize(
    "instance",
    [
        "https://evil.com",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com.evil.com",
        "https://u@acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://acme.my.salesforce.com/x",
        "https://169.254.169.254",
        17,
    ],
)
async def test_salesforce_is_called_only_at_its_own_instances(street: Street, instance: Any) -> None:
    force = await street.open(SalesforceLike())
    endpoint = to_odd(
        force, strategy="salesforce", per_tenant_host=r"(?:[a-z0-9-]+\.)+(?:salesforce|force)\.com",
        revocation=Revocation(kind="rfc7009", url=f"{force.base}/revoke"), **POST,
    )  # fmt: skip
    tokens = await tokens_of(endpoint)
    force.instance = instance

    assert (dict(tokens.extra), tokens.expires_at) == ({"tenant": "acme.my.salesforce.com"}, None)
    with pytest.raises(HostRefused):
        await tokens_of(endpoint, "code-2")


async def test_salesforce_s_rotated_token_used_twice_ends_everything(street: Street) -> None:
    force = await street.open(SalesforceLike())
    endpoint = to_odd(force, strategy="salesforce", per_tenant_host=r"[a-z0-9.-]+\.salesforce\.com", **POST)
    tokens = await tokens_of(endpoint)
    fresh = await endpoint.refresh(tokens)

    for dead in (tokens, fresh):
        with pytest.raises(GrantDead):
            await endpoint.refresh(dead)


async def test_tiktok_ads_has_names_of_its_own(street: Street) -> None:
    tiktok = await street.open(TikTokAdsLike())
    own: dict[str, Any] = {
        "strategy": "tiktok_ads",
        "token_auth": "json",
        "token_body": "json",
        "client_id_param": "app_id",
    }
    told = Revocation(kind="api", url=f"{tiktok.base}/revoke")
    endpoint = to_odd(tiktok, pkce="none", revocation=told, **own)
    url = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, ()).url

    tokens = await tokens_of(endpoint)
    first, again = await endpoint.revoke(tokens), await endpoint.revoke(tokens)

    assert f"app_id={CLIENT}" in url
    assert "client_id" not in url
    assert (tokens.scopes, tokens.expires_at, dict(tokens.extra)) == (None, None, {"advertisers": "701,702"})
    assert [each.outcome for each in (*first, *again)] == ["revoked", "already_dead"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"code": 40110, "message": "canary words"}, GrantDead),
        ({"code": 40101}, ClientRefused),
        ({"code": 40100}, ProviderBusy),
        ({"code": 50002}, ProviderBusy),
        ({"code": 40002}, RequestRefused),
        ({"code": "0", "data": {"access_token": "a"}}, RequestRefused),
        ({"code": False, "data": {"access_token": "a"}}, RequestRefused),
        ({"code": 0}, AnswerRefused),
        ({"code": 0, "data": []}, AnswerRefused),
    ],
)
async def test_tiktok_s_200_is_no_success_unless_its_code_is_nought(
    street: Street, said: Any, error: type[Exception]
) -> None:
    tiktok = await street.open(TikTokAdsLike())
    tiktok.will(Json(value=said))

    with pytest.raises(error):
        await tokens_of(
            to_odd(tiktok, strategy="tiktok_ads", token_auth="json", token_body="json", client_id_param="app_id")
        )


async def test_linkedin_s_end_does_not_move(street: Street) -> None:
    linked, clock = await street.open(LinkedInLike()), StoppedClock()
    began = clock.now()
    endpoint = to_odd(linked, strategy="linkedin", clock=clock, scope_separator=",", **POST)
    tokens = await tokens_of(endpoint)
    clock.advance(timedelta(days=100))
    linked.left = 31_536_000  # even if it says a year again

    fresh = await endpoint.refresh(tokens)

    assert tokens.refresh_expires_at == fresh.refresh_expires_at == began + timedelta(days=365)
    assert fresh.refresh_token == tokens.refresh_token


async def test_linkedin_s_scopes_are_read_whether_commas_or_spaces_part_them(street: Street) -> None:
    linked = await street.open(LinkedInLike())
    endpoint = to_odd(linked, strategy="linkedin", **POST)  # as the catalogue has it: spaces in what is asked for

    linked.will(Json(value={"access_token": "a", "expires_in": 60, "scope": "r_ads,r_ads_reporting"}))
    commas = await tokens_of(endpoint)
    linked.will(Json(value={"access_token": "a", "expires_in": 60, "scope": "r_ads r_ads_reporting"}))
    spaces = await tokens_of(endpoint, "code-2")

    assert commas.scopes == spaces.scopes == ("r_ads", "r_ads_reporting")


@pytest.mark.parametrize("takes", ["refresh", "access"])
async def test_a_provider_that_takes_one_kind_of_token_is_not_asked_to_revoke_the_other(
    street: Street, takes: Literal["refresh", "access"]
) -> None:
    odd = await street.open(OddProvider())
    told = Revocation(kind="api", url=f"{odd.base}/revoke", takes=takes)
    endpoint = to_odd(odd, revocation=told, **POST)
    tokens = await tokens_of(endpoint)
    before = len(odd.seen)

    ends = {each.token: (each.outcome, each.detail) for each in await endpoint.revoke(tokens)}

    other = "access" if takes == "refresh" else "refresh"
    assert ends == {takes: ("revoked", "told"), other: ("unsupported", f"by_{takes}_token")}
    assert len(odd.seen) == before + 1


async def test_an_old_hubspot_error_is_no_token(street: Street) -> None:
    hub = await street.open(OldHubSpotLike())
    endpoint = to_odd(hub, strategy="hubspot", **POST)
    tokens = await tokens_of(endpoint)
    hub.refresh = "another"

    with pytest.raises(GrantDead):
        await endpoint.refresh(tokens)
    stranger = ClientIdentity(client_id=CLIENT, client_secret=Secret("x"))
    with pytest.raises(ClientRefused):
        await to_odd(hub, strategy="hubspot", client=stranger, **POST).refresh(tokens)


async def test_microsoft_alone_repeats_the_scope_when_refreshing(street: Street) -> None:
    odd = await street.open(OddProvider())
    tokens = await tokens_of(to_odd(odd))

    await to_odd(odd, strategy="microsoft").refresh(tokens)

    assert fields(odd.seen[-1])["scope"] == "ads.read offline_access"


async def test_a_revocation_s_field_goes_by_the_name_the_provider_gave_it(street: Street) -> None:
    odd = await street.open(OddProvider())
    endpoint = to_odd(odd, strategy="webflow", revocation=Revocation(kind="api", url=f"{odd.base}/revoke"), **POST)
    tokens = await tokens_of(endpoint)

    await endpoint.revoke(tokens)

    assert fields(odd.seen[-1])["access_token"] == tokens.access_token.reveal()


async def test_a_client_known_by_another_name_is_named_so_everywhere(street: Street) -> None:
    odd = await street.open(OddProvider())
    endpoint = to_odd(odd, client_id_param="client_key", **POST)
    url = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, ("ads.read",)).url

    await endpoint.revoke(await endpoint.refresh(await tokens_of(endpoint)))

    assert f"client_key={CLIENT}" in url
    assert all(fields(each)["client_key"] == CLIENT and "client_id" not in fields(each) for each in odd.seen)
    assert len(odd.seen) == 4
