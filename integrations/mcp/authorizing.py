"""Reads what a server that asks for a token publishes about that: RFC 9728, then its issuer's own metadata (RFC 8414).

The document must be about the address that was asked and lie on the server's own host, the issuer must be who it says it is
and have every endpoint on its own host, and PKCE must be there: a server that fails here is refused for that, before anybody
is asked to trust it. What was believed once is pinned by who asked.
"""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from integrations.broker.addresses import Hosts
from integrations.broker.guard import Endpoint, Network
from integrations.mcp.addresses import Address
from integrations.mcp.sign_in import SignIn, as_provider, scopes_in
from integrations.oauth.discovery import Discovery, ServerMetadata
from integrations.oauth.errors import ABSENT, DiscoveryRefused
from integrations.oauth.resources import ProtectedResource, protected_resource
from integrations.oauth.sending import HttpPolicy
from joule.kernel.clock import Clock

_ASKED = "mcp"  # the id of a server that has none yet


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """What a server said when it took nobody: where it publishes, and which scopes it asks for."""

    metadata_url: str | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Authorizing:
    """Speaks with a server's well-known documents, and its issuer's."""

    network: Network
    clock: Clock
    loopback: Collection[Endpoint] = ()

    async def published(
        self, server: Address, challenge: Challenge | None = None, *, pinned: SignIn | None = None
    ) -> SignIn:
        """Who signs people in, if all of it holds; with `pinned` only if it is as it was, and the same issuer.

        Raises `DiscoveryRefused` or what the wire and the guard raise.
        """
        told = challenge or Challenge()
        found = await self._resource(server, told.metadata_url)
        names = found.authorization_servers[:1] if pinned is None else (pinned.issuer,)
        if not set(_spellings(names[0])) & {each for one in found.authorization_servers for each in _spellings(one)}:
            raise DiscoveryRefused(server.title, reason="another issuer signs people in now")
        metadata = await self._metadata(server, names[0], None if pinned is None else pinned.metadata)
        if "S256" not in metadata.pkce_methods:
            raise DiscoveryRefused(server.title, reason="its issuer does not say that it takes PKCE with S256")
        scopes = scopes_in(told.scopes or found.scopes)
        if metadata.knows_offline and "offline_access" not in scopes:
            scopes = (*scopes, "offline_access")  # else nobody could renew what it issues
        return SignIn(resource=found.resource, metadata=metadata, scopes=scopes)

    async def _metadata(self, server: Address, name: str, pinned: ServerMetadata | None) -> ServerMetadata:
        """The issuer's own, by the name the server gives it, or that name with or without a lone slash at its end."""
        problem: DiscoveryRefused | None = None
        for issuer in (name,) if pinned is not None else _spellings(name):
            seen = Discovery(http=self._http(issuer, server.title), clock=self.clock)
            try:
                return await seen.of(as_provider(_ASKED, server, issuer=issuer), pinned=pinned)
            except DiscoveryRefused as refused:
                problem = problem or refused
        raise problem or DiscoveryRefused(server.title, reason=ABSENT)

    async def _resource(self, server: Address, url: str | None) -> ProtectedResource:
        """The server's document: where it says, else beside its path, else for its whole host."""
        known, http = as_provider(_ASKED, server), self._http(server.url, server.title)
        if url is not None:
            return await protected_resource(known, server.url, http=http, clock=self.clock, at=url)
        parts = urlsplit(server.url)
        names = [server.url, *([f"{parts.scheme}://{parts.netloc}"] if parts.path not in {"", "/"} else [])]
        problem: DiscoveryRefused | None = None
        for each in names:
            try:
                return await protected_resource(known, each, http=http, clock=self.clock)
            except DiscoveryRefused as refused:
                problem = problem or refused
                if not refused.is_absent:
                    raise
        raise problem or DiscoveryRefused(server.title, reason=ABSENT)

    def _http(self, url: str, title: str) -> HttpPolicy:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
        hosts = Hosts(exact=frozenset({host}), loopback=(host, port) in self.loopback)
        return HttpPolicy(transport=self.network.transport(hosts, name=title))


def _spellings(issuer: str) -> tuple[str, ...]:
    """An issuer's name as given; for a host alone also with or without the slash that libraries add and drop."""
    if urlsplit(issuer).path == "/":
        return issuer, issuer.removesuffix("/")
    return (issuer, f"{issuer}/") if urlsplit(issuer).path == "" else (issuer,)
