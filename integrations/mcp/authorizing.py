"""Reads what a server that asks for a token publishes about that: RFC 9728, then each issuer's own metadata (RFC 8414).

The document must be about exactly the address that was asked, and every issuer must be who it says it is: a server that
fails here is refused for that, before anybody is asked to trust it. No token is ever sent to an MCP server.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from integrations.broker.addresses import Hosts
from integrations.broker.guard import Endpoint, Network
from integrations.catalogue.model import Provider, Refresh, Revocation
from integrations.mcp.addresses import Address
from integrations.oauth.discovery import Discovery
from integrations.oauth.resources import ProtectedResource, protected_resource
from integrations.oauth.sending import HttpPolicy
from joule.kernel.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Authorizing:
    """Speaks with a server's well-known documents, and its issuers'."""

    network: Network
    clock: Clock
    loopback: Collection[Endpoint] = ()

    async def published(self, server: Address) -> ProtectedResource:
        """What the server says about tokens, if it holds. Raises `DiscoveryRefused` or what the wire and the guard raise."""
        found = await protected_resource(
            _as_provider(server), server.url, http=self._http(server.url, server.title), clock=self.clock
        )
        for issuer in found.authorization_servers:
            known = replace(_as_provider(server), issuer=issuer)
            await Discovery(http=self._http(issuer, server.title), clock=self.clock).of(known)
        return found

    def _http(self, url: str, title: str) -> HttpPolicy:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
        hosts = Hosts(exact=frozenset({host}), loopback=(host, port) in self.loopback)
        return HttpPolicy(transport=self.network.transport(hosts, name=title))


def _as_provider(server: Address) -> Provider:
    """The server as the wire knows providers: one host, and nothing else known of it."""
    return Provider(
        id="mcp",
        title=server.title,
        group="MCP",
        family="mcp",
        what_it_is="An MCP server",
        authorization_url=None,
        token_url=None,
        revocation=Revocation(kind="none"),
        refresh=Refresh(kind="none"),
        pkce="required",
        scopes={},
        hosts=(urlsplit(server.url).netloc,),
        splits_read_from_write=False,
        token_life_words="",
        settings_url="",
        settings_words="",
        registers_at="",
        registers_words="",
        could={},
        demo=server.is_loopback,
    )
