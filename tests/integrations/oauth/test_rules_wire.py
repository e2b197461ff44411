"""The rules of the standards that are kept on the wire, one test each, numbered as in the list they come from.

Rules about sessions, leases and stored tokens are kept elsewhere in this room, in `test_rules_*.py` beside their code.
"""

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from integrations.broker.addresses import Hosts
from integrations.broker.guard import Network
from integrations.catalogue.model import Provider, Revocation
from integrations.oauth.callback import is_verifier
from integrations.oauth.errors import (
    AnswerRefused,
    CallbackRefused,
    ClientRefused,
    DiscoveryRefused,
    GrantDead,
    HostRefused,
    ProviderBusy,
)
from integrations.oauth.hosts import for_tenant
from integrations.oauth.wire import (
    ClientIdentity,
    Discovery,
    HttpPolicy,
    Secret,
    ServerMetadata,
    TokenEndpoint,
    new_state,
    new_verifier,
)
from joule.kernel.clock import SystemClock
from tests.integrations.oauth.conftest import PLAIN, Make, at_peer, connected, consented, to_odd, tokens_of
from tests.support.odd_provider import SECRET, OddProvider
from tests.support.oidc import CALLBACK, ODD_ID, ODD_SECRET, OTHER_CALLBACK, Peer
from tests.support.provider_server import Json


async def metadata_of(peer: Peer, **changes: object) -> ServerMetadata:
    found = await Discovery(http=HttpPolicy(), clock=SystemClock()).of(at_peer(peer, issuer=peer.issuer))
    return replace(found, **changes)  # type: ignore[arg-type]


def asked(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def test_rule_01_only_codes_are_asked_for_and_only_a_code_is_taken(to_peer: Make) -> None:
    endpoint = to_peer()

    url = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, ("openid",)).url

    assert asked(url)["response_type"] == "code"
    assert "response_mode" not in asked(url)
    assert endpoint.check_callback(code=Secret("c"), issuer=None, error=None) == Secret("c")
    for nothing in (None, Secret(""), Secret("\x00")):
        with pytest.raises(CallbackRefused, match="no code"):
            endpoint.check_callback(code=nothing, issuer=None, error=None)


async def test_rule_02_pkce_is_s256_and_a_wrong_verifier_gets_nothing(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer()
    request = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, ("openid",))
    code, verifier = await consented(endpoint, peer)
    other_code, _ = await consented(endpoint, peer)

    assert asked(request.url)["code_challenge_method"] == "S256"
    assert request.verifier.reveal() not in request.url
    assert is_verifier(new_verifier().reveal())
    assert (await endpoint.exchange(code, verifier, CALLBACK)).access_token
    with pytest.raises(GrantDead):
        await endpoint.exchange(other_code, new_verifier(), CALLBACK)
    with pytest.raises(ValueError, match="43 to 128"):
        endpoint.authorization_request(new_state(), Secret("short"), CALLBACK, ("openid",))


async def test_rule_03_a_catalogue_without_pkce_is_refused_where_the_server_has_it(to_peer: Make, peer: Peer) -> None:
    metadata = await metadata_of(peer)

    assert to_peer(metadata=metadata).provider.pkce == "required"
    assert "code_challenge" not in asked(
        to_peer(pkce="off").authorization_request(new_state(), new_verifier(), CALLBACK, ("openid",)).url
    )
    with pytest.raises(DiscoveryRefused, match="switches PKCE off"):
        to_peer(pkce="off", metadata=metadata)


def test_rule_04_a_state_cannot_be_guessed() -> None:
    states = {new_state().reveal() for _ in range(1000)}

    assert len(states) == 1000
    assert min(len(state) for state in states) * 6 >= 128


async def test_rule_06_the_issuer_is_compared_before_the_code_leaves_us(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer(metadata=await metadata_of(peer))
    request = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, ("openid",))
    back = await peer.consent(request.url)
    code = Secret(back["code"])

    assert endpoint.check_callback(code=code, issuer=back["iss"], error=None) == code
    for issuer in (None, peer.issuer + "/", peer.issuer.upper(), "http://127.0.0.1:1"):
        with pytest.raises(CallbackRefused):
            endpoint.check_callback(code=code, issuer=issuer, error=None)
        with pytest.raises(CallbackRefused):
            endpoint.check_callback(code=None, issuer=issuer, error="access_denied")


async def test_rule_07_a_code_for_one_redirect_address_works_at_no_other(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer()
    code, verifier = await consented(endpoint, peer)

    with pytest.raises(GrantDead):
        await endpoint.exchange(code, verifier, OTHER_CALLBACK)


async def test_rule_08_the_redirect_address_is_exact_and_https(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer()
    extended = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK + "/more", ("openid",))

    assert await peer.consent(extended.url) == {"status": "400"}
    for address in ("http://joule.example/cb", "https://joule.example/cb#x", "https://u@joule.example/cb", "/cb"):
        with pytest.raises(HostRefused):
            endpoint.authorization_request(new_state(), new_verifier(), address, ("openid",))
    https = endpoint.authorization_request(new_state(), new_verifier(), "https://joule.example/cb", ("openid",))
    assert asked(https.url)["redirect_uri"] == "https://joule.example/cb"


async def test_rule_09_a_code_works_once_and_a_second_use_ends_the_tokens(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer()
    code, verifier = await consented(endpoint, peer)
    tokens = await endpoint.exchange(code, verifier, CALLBACK)
    before = await endpoint.introspect(tokens.access_token, hint="access_token")

    with pytest.raises(GrantDead):
        await endpoint.exchange(code, verifier, CALLBACK)

    assert before.active
    assert not (await endpoint.introspect(tokens.access_token, hint="access_token")).active
    with pytest.raises(GrantDead):
        await endpoint.refresh(tokens)


async def test_rule_11_the_scopes_in_the_answer_are_the_truth(to_peer: Make, peer: Peer) -> None:
    await peer.play(declines=("ads.write",))

    tokens = await connected(to_peer(), peer, scopes=("openid", "ads.read", "ads.write"))

    assert tokens.scopes == ("openid", "ads.read")


async def test_rule_11_scopes_left_out_are_not_made_up(odd: OddProvider) -> None:
    odd.body = {"access_token": "a", "token_type": "bearer"}
    silent = await tokens_of(to_odd(odd))
    odd.body = {"access_token": "a", "token_type": "bearer", "scope": "a,b  c,a"}
    commas = await tokens_of(to_odd(odd, scope_separator=","), "code-2")

    assert silent.scopes is None
    assert commas.scopes == ("a", "b", "c")


async def test_rule_12_a_refresh_asks_for_no_scope(odd: OddProvider, to_peer: Make, peer: Peer) -> None:
    endpoint = to_odd(odd)
    tokens = await tokens_of(endpoint)
    await endpoint.refresh(tokens)
    await peer.play(declines=("ads.write",))
    partly = await connected(to_peer(), peer, scopes=("openid", "ads.read", "ads.write"))

    assert b"scope" not in odd.seen[-1].raw
    assert (await to_peer().refresh(partly)).scopes == ("openid", "ads.read")


async def test_rule_13_a_refresh_token_left_out_means_the_old_one_stays(odd: OddProvider) -> None:
    endpoint = to_odd(odd)
    tokens = await tokens_of(endpoint)
    rotated = await endpoint.refresh(tokens)
    odd.body = {"access_token": "a", "token_type": "bearer"}
    same = await endpoint.refresh(rotated)

    assert rotated.refresh_token != tokens.refresh_token
    assert same.refresh_token == rotated.refresh_token
    assert same.scopes == rotated.scopes


async def test_rule_16_a_refresh_token_used_twice_is_a_dead_grant_and_says_so(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer()
    tokens = await connected(endpoint, peer)
    await endpoint.refresh(tokens)

    with pytest.raises(GrantDead) as dead:
        await endpoint.refresh(tokens)

    assert "connect Plain again" in dead.value.advice()


async def test_rule_20_the_refresh_token_is_revoked_first_and_takes_the_other_along(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer()
    tokens = await connected(endpoint, peer)

    first = await endpoint.revoke(tokens)
    again = await endpoint.revoke(tokens)

    assert [(each.token, each.outcome) for each in first] == [("refresh", "revoked"), ("access", "revoked")]
    assert {each.outcome for each in again} == {"revoked"}  # a token nobody knows is revoked, by the standard
    assert not (await endpoint.introspect(tokens.access_token, hint="access_token")).active
    with pytest.raises(GrantDead):
        await endpoint.refresh(tokens)


async def test_rule_20_a_refused_client_has_revoked_nothing(to_peer: Make, peer: Peer) -> None:
    tokens = await connected(to_peer(), peer)
    stranger = to_peer(ClientIdentity(client_id="basic", client_secret=Secret("wrong")))

    outcomes = await stranger.revoke(tokens)

    assert [(each.outcome, each.detail) for each in outcomes] == [("failed", "status_401")] * 2
    assert not any(each.is_transient for each in outcomes)
    assert (await to_peer().introspect(tokens.access_token, hint="access_token")).active


async def test_rule_20_a_provider_that_is_away_is_told_again_later(odd: OddProvider) -> None:
    endpoint = to_odd(odd)
    tokens = await tokens_of(endpoint)
    odd.will(Json(status=503), Json(status=503))

    away = await endpoint.revoke(tokens)
    later = await endpoint.revoke(tokens)

    assert [each.is_transient for each in away] == [True, True]
    assert [each.outcome for each in later] == ["revoked", "revoked"]


async def test_rule_20_where_nothing_can_be_told_the_outcome_says_so(odd: OddProvider) -> None:
    endpoint = to_odd(odd, revocation=Revocation(kind="none"))
    tokens = await tokens_of(endpoint)

    outcomes = await endpoint.revoke(tokens)

    assert [(each.outcome, each.detail) for each in outcomes] == [("unsupported", "by_hand")] * 2


async def test_rule_22_what_was_revoked_elsewhere_is_seen_by_asking(to_peer: Make, peer: Peer) -> None:
    endpoint = to_peer()
    tokens = await connected(endpoint, peer)
    before = await endpoint.introspect(tokens.access_token, hint="access_token")
    await to_peer().revoke(tokens)

    after = await endpoint.introspect(tokens.access_token, hint="access_token")

    assert (before.active, before.scopes, before.subject) == (True, ("openid", "ads.read"), "person-1")
    assert (after.active, after.scopes) == (False, None)
    with pytest.raises(ClientRefused):
        await to_peer(ClientIdentity(client_id="basic", client_secret=Secret("x"))).introspect(
            tokens.access_token, hint="access_token"
        )


async def test_rule_24_tokens_are_for_the_resource_that_was_named(to_peer: Make, peer: Peer) -> None:
    resource = "https://api.example/ads"
    endpoint = to_peer()

    tokens = await connected(endpoint, peer, scopes=("ads.read",), resource=resource)
    fresh = await endpoint.refresh(tokens, resource)

    for each in (tokens, fresh):
        assert (await endpoint.introspect(each.access_token, hint="access_token")).audience == (resource,)


async def test_rule_24_several_resources_are_all_sent(odd: OddProvider) -> None:
    both = ("https://a.example/", "https://b.example/")
    endpoint = to_odd(odd)

    url = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, ("ads.read",), both).url
    await endpoint.exchange(Secret("code-1"), new_verifier(), CALLBACK, both)

    for sent in (urlsplit(url).query, odd.seen[-1].raw.decode()):
        assert [value for name, value in parse_qsl(sent) if name == "resource"] == list(both)


async def test_rule_25_requests_are_pushed_where_the_server_demands_it(to_peer: Make, peer: Peer) -> None:
    client = ClientIdentity(client_id="pushing", client_secret=Secret("s3cret"))
    metadata = await metadata_of(peer, requires_pushed_requests=True)
    endpoint = to_peer(client, metadata=metadata)
    request = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, ("openid", "ads.read"))

    tokens = await connected(endpoint, peer)
    pushed = await endpoint.pushed(request)

    assert tokens.scopes == ("openid", "ads.read")
    assert set(asked(pushed.url)) == {"client_id", "request_uri"}
    assert (await peer.consent(request.url)).get("error") == "invalid_request"  # unpushed, it is refused


async def test_rule_26_a_bound_token_is_refused_rather_than_used_unbound(to_peer: Make, odd: OddProvider) -> None:
    odd.body = {"access_token": "a", "token_type": "DPoP"}

    with pytest.raises(AnswerRefused, match="token_type"):
        await tokens_of(to_odd(odd))


async def test_rule_27_the_device_flow_is_not_there(peer: Peer) -> None:
    async with httpx2.AsyncClient(trust_env=False) as browser:
        offered = (await browser.get(f"{peer.issuer}/.well-known/openid-configuration")).json()

    assert "device_authorization_endpoint" in offered
    assert not [name for name in (*dir(TokenEndpoint), *ServerMetadata.__annotations__) if "device" in name]


@pytest.mark.parametrize(
    ("client", "way"),
    [
        (ClientIdentity(client_id="basic", client_secret=Secret("s3cret")), "client_secret_basic"),
        (ClientIdentity(client_id=ODD_ID, client_secret=Secret(ODD_SECRET)), "client_secret_basic"),
        (ClientIdentity(client_id="post", client_secret=Secret("s3cret")), "client_secret_post"),
        (ClientIdentity(client_id="public"), "none"),
        (ClientIdentity(client_id="signer", key_id="k1"), "private_key_jwt"),
    ],
)
async def test_rule_28_the_client_proves_itself_in_each_of_the_four_ways(
    to_peer: Make, peer: Peer, client: ClientIdentity, way: str
) -> None:
    if way == "private_key_jwt":
        client = replace(client, private_key=Secret(peer.signing_key))
    endpoint = to_peer(client, token_auth=way)

    fresh = await endpoint.refresh(await connected(endpoint, peer))

    assert fresh.access_token
    assert {each.outcome for each in await endpoint.revoke(fresh)} == {"revoked"}


async def test_rule_32_two_secrets_are_good_while_one_replaces_the_other(odd: OddProvider) -> None:
    client = ClientIdentity(client_id="client-1", client_secret=Secret(SECRET), next_secret=Secret("newer"))
    endpoint = to_odd(odd, client=client)
    tokens = await tokens_of(endpoint)
    took_old = endpoint.took_next_secret
    odd.secrets = {"newer"}
    fresh = await endpoint.refresh(tokens)
    odd.secrets = {"neither"}

    assert (took_old, endpoint.took_next_secret) == (False, True)
    with pytest.raises(ClientRefused):
        await endpoint.refresh(fresh)


def shop(name: str) -> Provider:
    pattern = r"[a-z0-9][a-z0-9-]*\.myshopify\.com"
    stands = replace(PLAIN, demo=False, per_tenant_host=pattern, token_url="https://{tenant}/admin/oauth/access_token")
    return for_tenant(stands, name)


@pytest.mark.parametrize(
    "name",
    [
        "evil.com/.myshopify.com",
        "evil.com#.myshopify.com",
        "evil.com?.myshopify.com",
        "evil.com\\.myshopify.com",
        "u@acme.myshopify.com",
        "acme.myshopify.com.evil.com",
        "acme.myshopify.com:8443",
        "acme.myshopify.com\n",
        "acme..myshopify.com",
        ".myshopify.com",
        "acme-.myshopify.com",
        "ácme.myshopify.com",
        "169.254.169.254",
        "",
        "{tenant}",
    ],
)
def test_rule_30_a_shop_is_a_shop_and_nothing_else(name: str) -> None:
    assert shop("Acme-2.myshopify.com").token_url == "https://acme-2.myshopify.com/admin/oauth/access_token"
    with pytest.raises(HostRefused):
        shop(name)


class Lies:
    """A resolver that answers with these addresses, one after the other."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        return (self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0],)


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "10.0.0.5", "::1", "::ffff:169.254.169.254"])
async def test_rule_30_a_proper_name_that_leads_inside_is_refused_on_the_wire_too(address: str) -> None:
    network = Network(resolver=Lies(address))
    transport = network.transport(Hosts(exact=frozenset({"acme-2.myshopify.com"})), name="Shopify")
    endpoint = TokenEndpoint(
        provider=shop("acme-2.myshopify.com"),
        client=ClientIdentity(client_id="c", client_secret=Secret("s")),
        http=HttpPolicy(transport=transport),
        clock=SystemClock(),
    )

    with pytest.raises(HostRefused, match="leads to"):
        await endpoint.exchange(Secret("code"), new_verifier(), CALLBACK)
    await network.close()


async def test_rule_30_through_the_guard_a_proper_provider_is_reached(odd: OddProvider) -> None:
    network = Network(loopback=[odd.server.endpoint])
    transport = network.transport(Hosts(exact=frozenset({"127.0.0.1"}), loopback=True), name="Plain")

    endpoint = to_odd(odd, http=HttpPolicy(transport=transport))
    fresh = await endpoint.refresh(await tokens_of(endpoint))  # the transport is lent: it serves twice

    assert fresh.access_token
    await network.close()


async def test_rule_17_through_the_guard_nobody_listening_is_transient_too(odd: OddProvider) -> None:
    network = Network(loopback=[("127.0.0.1", 1)])
    transport = network.transport(Hosts(exact=frozenset({"127.0.0.1"}), loopback=True), name="Plain")

    with pytest.raises(ProviderBusy):
        await tokens_of(to_odd(odd, http=HttpPolicy(transport=transport), token_url="http://127.0.0.1:1/token"))
    await network.close()
