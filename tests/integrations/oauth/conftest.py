"""A peer of other people's making, odd providers, and ways to make our endpoint for either."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from integrations.catalogue.model import Provider, Refresh, Revocation, Risk, Scope
from integrations.oauth.wire import (
    ClientIdentity,
    HttpPolicy,
    Secret,
    TokenEndpoint,
    TokenSet,
    new_state,
    new_verifier,
)
from joule.kernel.clock import SystemClock
from tests.support.odd_provider import CLIENT, SECRET, OddProvider
from tests.support.oidc import CALLBACK, Peer, running_peer

PLAIN = Provider(
    id="plain",
    title="Plain",
    group="Tests",
    family="plain",
    what_it_is="A provider for tests.",
    authorization_url=None,
    token_url=None,
    revocation=Revocation(kind="none"),
    refresh=Refresh(kind="rotating"),
    pkce="required",
    scopes={name: Scope(name=name, words=name, risk=Risk.R1) for name in ("openid", "ads.read", "ads.write")},
    hosts=("127.0.0.1",),
    splits_read_from_write=True,
    token_life_words="an hour",
    settings_url="https://plain.example/settings",
    settings_words="there",
    registers_at="https://plain.example/apps",
    registers_words="there",
    could={},
    token_auth="client_secret_basic",
    demo=True,
)

Make = Callable[..., TokenEndpoint]


@pytest.fixture(scope="session")
def started_peer() -> Iterator[Peer]:
    with running_peer() as peer:
        yield peer


@pytest.fixture
async def peer(started_peer: Peer) -> Peer:
    """The independent server, its played person agreeing to everything."""
    await started_peer.play()
    return started_peer


def at_peer(peer: Peer, **changes: Any) -> Provider:
    """The catalogue entry of the independent server."""
    return replace(
        PLAIN,
        authorization_url=f"{peer.issuer}/auth",
        token_url=f"{peer.issuer}/token",
        introspection_url=f"{peer.issuer}/token/introspection",
        revocation=Revocation(kind="rfc7009", url=f"{peer.issuer}/token/revocation"),
        **changes,
    )


@pytest.fixture
def to_peer(peer: Peer) -> Make:
    """Our endpoint towards the independent server, as its client `basic` unless another is given."""

    def make(client: ClientIdentity | None = None, **changes: Any) -> TokenEndpoint:
        metadata = changes.pop("metadata", None)
        return TokenEndpoint(
            provider=at_peer(peer, **changes),
            client=client or ClientIdentity(client_id="basic", client_secret=Secret("s3cret")),
            http=HttpPolicy(),
            clock=SystemClock(),
            metadata=metadata,
        )

    return make


async def consented(
    endpoint: TokenEndpoint, peer: Peer, *, scopes: tuple[str, ...] = ("openid", "ads.read"), resource: Any = None
) -> tuple[Secret, Secret]:
    """A code the person agreed to, and the verifier that belongs to it."""
    request = endpoint.authorization_request(new_state(), new_verifier(), CALLBACK, scopes, resource)
    back = await peer.consent((await endpoint.pushed(request)).url)
    assert back["state"] == request.state.reveal()
    return Secret(back["code"]), request.verifier


async def connected(
    endpoint: TokenEndpoint, peer: Peer, *, scopes: tuple[str, ...] = ("openid", "ads.read"), resource: Any = None
) -> TokenSet:
    """Tokens, by the whole way."""
    code, verifier = await consented(endpoint, peer, scopes=scopes, resource=resource)
    return await endpoint.exchange(code, verifier, CALLBACK, resource)


def at_odd(odd: OddProvider, **changes: Any) -> Provider:
    """The catalogue entry of an odd provider: the standard, changed where `changes` say so."""
    usual: dict[str, Any] = {
        "authorization_url": f"{odd.base}/authorize",
        "token_url": f"{odd.base}/token",
        "introspection_url": f"{odd.base}/introspect",
        "revocation": Revocation(kind="rfc7009", url=f"{odd.base}/revoke"),
    }
    return replace(PLAIN, **{**usual, **changes})


def to_odd(odd: OddProvider, *, http: HttpPolicy | None = None, clock: Any = None, **changes: Any) -> TokenEndpoint:
    """Our endpoint towards an odd provider."""
    strategy, client = changes.pop("with_strategy", None), changes.pop("client", None)
    return TokenEndpoint(
        provider=at_odd(odd, **changes),
        client=client or ClientIdentity(client_id=CLIENT, client_secret=Secret(SECRET)),
        http=http or HttpPolicy(),
        clock=clock or SystemClock(),
        strategy=strategy,
    )


async def tokens_of(endpoint: TokenEndpoint, code: str = "code-1") -> TokenSet:
    """Tokens for a code the odd provider knows."""
    return await endpoint.exchange(Secret(code), new_verifier(), CALLBACK)


@pytest.fixture
async def odd() -> AsyncIterator[OddProvider]:
    """A provider of our own that keeps to the standard until told otherwise."""
    async with OddProvider().running() as provider:
        yield provider
