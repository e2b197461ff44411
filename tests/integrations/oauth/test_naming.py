"""Whose account it is: found where the catalogue says, believed only where it may be, and never at the price of a connection."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.catalogue.account import AccountClue, NamedAccount, read
from integrations.catalogue.load import catalogue
from integrations.oauth.errors import HostRefused, ProviderBusy
from integrations.oauth.naming import in_answer
from tests.integrations.oauth.conftest import Make, connected, to_odd, tokens_of
from tests.support.odd_provider import OddProvider
from tests.support.oidc import Peer
from tests.support.provider_server import Asked, Json

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
GOOGLE = catalogue().provider("google_analytics_4")
CLAIMS = {"aud": "our-app", "exp": (NOW + timedelta(hours=1)).timestamp(), "email": "ada@shop.test", "sub": "109"}


def token(**changes: Any) -> str:
    """An id_token with these claims; nobody has signed it."""
    packed = base64.urlsafe_b64encode(json.dumps({**CLAIMS, **changes}).encode()).decode().rstrip("=")
    return f"e30.{packed}.x"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (token(), NamedAccount(name="ada@shop.test", id="109")),
        (token(aud=["other", "our-app"]), NamedAccount(name="ada@shop.test", id="109")),
        (token(email=None), NamedAccount(id="109")),
        (token(aud="another-app"), NamedAccount()),
        (token(aud=None), NamedAccount()),
        (token(exp=(NOW - timedelta(hours=1)).timestamp()), NamedAccount()),
        (token(exp="soon"), NamedAccount()),
        (token(email={"a": 1}, sub=True), NamedAccount()),
        (token(email="ada\u202e@shop.test\n", sub=17), NamedAccount(name="ada @shop.test", id="17")),
        ("e30.e30", NamedAccount()),
        ("e30.###.x", NamedAccount()),
        ("a" * 9000, NamedAccount()),
        (None, NamedAccount()),
        ({"sub": "109"}, NamedAccount()),
    ],
)
def test_an_id_token_names_the_account_if_it_is_for_this_app_and_alive(given: Any, found: NamedAccount) -> None:
    assert in_answer(GOOGLE, {"id_token": given}, client_id="our-app", now=NOW) == found


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"data": [{"id": 7, "name": "Shop"}]}, NamedAccount(name="Shop", id="7")),
        ({"data": []}, NamedAccount()),
        ({"data": {"0": {"name": "Shop"}}}, NamedAccount(name="Shop")),
        ({"data": "text"}, NamedAccount()),
        ({"data": [{"id": True, "name": "  "}]}, NamedAccount()),
        ({"data": [{"name": "x" * 900}]}, NamedAccount(name="x" * 200)),
        ([], NamedAccount()),
        (None, NamedAccount()),
    ],
)
def test_what_a_provider_says_is_short_plain_text_or_nothing(told: Any, found: NamedAccount) -> None:
    assert read(AccountClue(source="call", name="data.0.name", id="data.0.id"), told) == found


async def test_the_independent_server_s_id_token_and_userinfo_name_the_same_account(to_peer: Make, peer: Peer) -> None:
    clues = (AccountClue(source="id_token", id="sub"),)
    endpoint = to_peer(account=clues)
    by_call = to_peer(account=(AccountClue(source="call", url=f"{peer.issuer}/me", id="sub"),))

    tokens = await connected(endpoint, peer)
    unknown = await connected(by_call, peer)

    assert tokens.extra["account_id"]
    assert "account_id" not in unknown.extra
    told = await by_call.account(unknown, granted=("openid",), tenant=None)
    assert told.id == tokens.extra["account_id"]


class WithProfile(OddProvider):
    """Says who one is to whoever brings a token that lives."""

    status = 200

    def at_me(self, asked: Asked) -> Json:
        if self.bearer(asked) not in self.alive:
            return Json(value={"error": "invalid_token"}, status=401)
        return Json(value={"user": {"name": "Ada", "id": 17}, "error": {"code": "ok"}}, status=self.status)

    def at_introspect(self, asked: Asked) -> Json:
        return Json(value={"active": True, "hub_id": 62, "hub_domain": "shop.test", "scopes": ["a", "b"]})


async def test_the_provider_is_asked_with_the_token_and_only_with_the_permissions_it_needs() -> None:
    async with WithProfile().running() as odd:
        clue = AccountClue(source="call", url=f"{odd.base}/me", name="user.name", id="user.id", needs=("profile",))
        endpoint = to_odd(odd, account=(clue,))
        tokens = await tokens_of(endpoint)
        before = len(odd.seen)

        lacking = await endpoint.account(tokens, granted=("ads.read",), tenant=None)
        assert (lacking, len(odd.seen)) == (NamedAccount(), before)
        found = await endpoint.account(tokens, granted=("profile",), tenant=None)

    assert found == NamedAccount(name="Ada", id="17")
    assert odd.seen[-1].headers["authorization"] == f"Bearer {tokens.access_token.reveal()}"
    assert "canary-access" not in odd.seen[-1].target


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_provider_that_refuses_says_nothing_and_one_that_is_busy_can_be_asked_again(status: int) -> None:
    async with WithProfile().running() as odd:
        endpoint = to_odd(odd, account=(AccountClue(source="call", url=f"{odd.base}/me", name="user.name"),))
        tokens = await tokens_of(endpoint)

        odd.will(Json(value={"user": {"name": "Eve"}}, status=status))
        assert await endpoint.account(tokens, granted=(), tenant=None) == NamedAccount()
        odd.will(Json(status=503))
        with pytest.raises(ProviderBusy):
            await endpoint.account(tokens, granted=(), tenant=None)
        assert (await endpoint.account(tokens, granted=(), tenant=None)).name == "Ada"


async def test_hubspot_names_hub_and_permissions_when_it_is_asked_about_the_token() -> None:
    async with WithProfile().running() as odd:
        endpoint = to_odd(odd, strategy="hubspot", account=catalogue().provider("hubspot").account)
        tokens = await tokens_of(endpoint)

        seen = await endpoint.introspect(tokens.access_token, hint="access_token")
        found = await endpoint.account(tokens, granted=(), tenant=None)

    assert seen.scopes == ("a", "b")
    assert found == NamedAccount(name="shop.test", id="62")


async def test_a_tenant_s_address_is_filled_in_only_with_a_host_of_the_provider() -> None:
    async with WithProfile().running() as odd:
        host = odd.base.removeprefix("http://")
        clue = AccountClue(source="call", url="http://{tenant}/me", name="user.name")
        endpoint = to_odd(odd, account=(clue,), per_tenant_host=r"127\.0\.0\.1:[0-9]+")
        tokens = await tokens_of(endpoint)

        assert (await endpoint.account(tokens, granted=(), tenant=host)).name == "Ada"
        for wrong in ("evil.test", f"{host}/x", None):
            with pytest.raises(HostRefused):
                await endpoint.account(tokens, granted=(), tenant=wrong)


def test_every_provider_says_where_its_account_is_named() -> None:
    for provider in catalogue().providers.values():
        clued = any(clue.name for clue in provider.account) or provider.strategy == "mailchimp"
        assert clued, f"{provider.id} never says whose account it is"
        asked_for = {name for clue in provider.account for name in clue.needs}
        assert all(provider.scopes[name].risk.rank <= 1 for name in asked_for), "naming needs no more than reading"
