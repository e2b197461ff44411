"""Rule 23: what a server publishes about itself is believed only where it agrees with us, and only until it changes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from integrations.catalogue.model import Provider
from integrations.oauth.discovery import read_metadata, well_known
from integrations.oauth.errors import AnswerRefused, DiscoveryRefused, HostRefused, ProviderBusy
from integrations.oauth.wire import ClientIdentity, Discovery, HttpPolicy, ServerMetadata, TokenEndpoint
from joule.kernel.clock import SystemClock
from tests.integrations.oauth.conftest import PLAIN, at_peer
from tests.support.clock import StoppedClock
from tests.support.odd_provider import OddProvider
from tests.support.oidc import Peer
from tests.support.provider_server import Json

ISSUER = "https://id.plain.example"
ENDPOINTS = {"authorization_endpoint": f"{ISSUER}/auth", "token_endpoint": "https://api.plain.example/token"}
REAL = replace(PLAIN, demo=False, issuer=ISSUER, hosts=("api.plain.example",))


def at(odd: OddProvider) -> Provider:
    return replace(PLAIN, issuer=odd.base, hosts=(f"127.0.0.1:{odd.server.port}",))


def published(odd: OddProvider, **changes: Any) -> Json:
    usual = {"authorization_endpoint": f"{odd.base}/authorize", "token_endpoint": f"{odd.base}/token"}
    return Json(value={"issuer": odd.base, **usual, **changes})


async def test_rule_23_the_independent_server_s_settings_are_read(peer: Peer) -> None:
    found = await Discovery(http=HttpPolicy(), clock=SystemClock()).of(at_peer(peer, issuer=peer.issuer))

    assert found.token_endpoint == f"{peer.issuer}/token"
    assert found.pushed_authorization_request_endpoint == f"{peer.issuer}/request"
    assert found.names_itself_in_callback
    assert "S256" in found.pkce_methods
    assert ServerMetadata.from_plain(found.plain()) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://api.plain.example/token"},
        {"token_endpoint": "https://api.plain.example.evil.example/token"},
        {"token_endpoint": "https://api.plain.example@evil.example/token"},
        {"token_endpoint": "https://api.plain.example:8443/token"},
        {"token_endpoint": "https://169.254.169.254/token"},
        {"token_endpoint": "https://0x7f000001/token"},
        {"token_endpoint": "https://2130706433/token"},
        {"token_endpoint": "https://[::1]/token"},
        {"token_endpoint": "https://localhost/token"},
        {"token_endpoint": "https://api.plain.example\\.evil.example/"},
        {"token_endpoint": None},
        {"token_endpoint": ["https://api.plain.example/token"]},
        {"revocation_endpoint": "https://evil.example/revoke"},
        {"pushed_authorization_request_endpoint": "https://evil.example/par"},
        {"introspection_endpoint": "file:///etc/passwd"},
    ],
)
def test_rule_23_settings_that_lead_elsewhere_are_refused(changes: dict[str, Any]) -> None:
    good = {"issuer": ISSUER, **ENDPOINTS}

    assert read_metadata(REAL, good).token_endpoint == ENDPOINTS["token_endpoint"]
    with pytest.raises(DiscoveryRefused):
        read_metadata(REAL, {**good, **changes})


def test_rule_23_an_issuer_without_https_is_not_even_asked() -> None:
    inserted, appended = well_known("https://id.example/tenant/1")

    assert inserted == "https://id.example/.well-known/oauth-authorization-server/tenant/1"
    assert appended == "https://id.example/tenant/1/.well-known/openid-configuration"


@pytest.mark.parametrize("issuer", ["http://id.plain.example", "https://10.0.0.1", "https://id.plain.example#x"])
async def test_rule_23_an_issuer_at_a_wrong_address_is_not_asked(issuer: str) -> None:
    with pytest.raises(HostRefused):
        await Discovery(http=HttpPolicy(), clock=SystemClock()).of(replace(REAL, issuer=issuer))


async def test_rule_23_redirects_are_not_followed(odd: OddProvider) -> None:
    odd.will(Json(status=307, headers={"location": f"{odd.base}/elsewhere"}))

    with pytest.raises(AnswerRefused, match="redirect"):
        await Discovery(http=HttpPolicy(), clock=SystemClock()).of(at(odd))

    assert len(odd.seen) == 1


async def test_rule_23_what_was_seen_is_kept_an_hour_and_a_change_is_refused(odd: OddProvider) -> None:
    clock = StoppedClock()
    discovery = Discovery(http=HttpPolicy(), clock=clock)
    odd.will(published(odd), published(odd), published(odd, token_endpoint=f"{odd.base}/token2"))

    first = await discovery.of(at(odd))
    assert await discovery.of(at(odd)) == first
    assert len(odd.seen) == 1
    clock.advance(timedelta(hours=2))
    assert await discovery.of(at(odd)) == first
    clock.advance(timedelta(hours=2))
    with pytest.raises(DiscoveryRefused, match="changed"):
        await discovery.of(at(odd))


@pytest.mark.parametrize(
    "gone",
    [
        {"code_challenge_methods_supported": ["plain"]},
        {"authorization_response_iss_parameter_supported": False},
        {"require_pushed_authorization_requests": False},
        {"revocation_endpoint": None},
    ],
)
async def test_rule_23_a_protection_may_come_but_not_go(odd: OddProvider, gone: dict[str, Any]) -> None:
    clock = StoppedClock()
    discovery = Discovery(http=HttpPolicy(), clock=clock)
    strong = {
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": True,
        "revocation_endpoint": f"{odd.base}/revoke",
    }
    odd.will(published(odd), published(odd, **strong), published(odd, **{**strong, **gone}))

    for _ in range(2):
        await discovery.of(at(odd))
        clock.advance(timedelta(hours=2))
    with pytest.raises(DiscoveryRefused, match="changed"):
        await discovery.of(at(odd))


async def test_rule_23_what_was_accepted_earlier_holds_for_a_new_process(odd: OddProvider) -> None:
    odd.will(published(odd))
    pinned = await Discovery(http=HttpPolicy(), clock=SystemClock()).of(at(odd))
    odd.will(published(odd, token_endpoint=f"{odd.base}/token2"))

    with pytest.raises(DiscoveryRefused, match="changed"):
        await Discovery(http=HttpPolicy(), clock=SystemClock()).of(at(odd), pinned=pinned)


async def test_rule_23_the_older_place_is_asked_when_the_new_one_is_empty(odd: OddProvider) -> None:
    odd.will(Json(status=404), published(odd))

    found = await Discovery(http=HttpPolicy(), clock=SystemClock()).of(at(odd))

    assert found.issuer == odd.base
    assert [each.target for each in odd.seen][-1] == "/.well-known/openid-configuration"


async def test_rule_23_a_server_that_is_away_is_only_away(odd: OddProvider) -> None:
    odd.will(Json(status=503))

    with pytest.raises(ProviderBusy):
        await Discovery(http=HttpPolicy(), clock=SystemClock()).of(at(odd))


async def test_settings_of_another_issuer_are_not_taken_for_a_provider() -> None:
    metadata = read_metadata(REAL, {"issuer": ISSUER, **ENDPOINTS})

    def made(provider: Provider) -> TokenEndpoint:
        client = ClientIdentity(client_id="c")
        return TokenEndpoint(
            provider=provider, client=client, http=HttpPolicy(), clock=SystemClock(), metadata=metadata
        )

    assert made(REAL).provider.token_url == ENDPOINTS["token_endpoint"]
    with pytest.raises(DiscoveryRefused):
        made(replace(REAL, issuer="https://other.example"))
