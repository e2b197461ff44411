"""Finds the OAuth endpoints of the issuer that signs people in to a server: what is read in a transaction, what is asked after.

A consent asks the server anew who may sign people in to it, and the issuer what it publishes: both must be as they were
when the server was added. Tokens that exist are renewed and ended by what was pinned then.
"""

from collections.abc import Collection
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.broker.addresses import Hosts
from integrations.broker.guard import Endpoint, Network
from integrations.clients import Clients
from integrations.mcp import store
from integrations.mcp.addresses import Address, address
from integrations.mcp.authorizing import Authorizing
from integrations.mcp.sign_in import SignIn, as_provider, provider_id, server_of
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.errors import DiscoveryRefused
from integrations.oauth.sending import HttpPolicy
from integrations.oauth.wire import ClientIdentity
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid
from joule.kernel.ids import OrgId
from joule.vault.vault import Vault


class McpEndpoints:
    """The endpoints of servers' issuers, each over a transport that reaches that issuer alone."""

    def __init__(
        self,
        *,
        vault: Vault,
        clients: Clients,
        network: Network,
        clock: Clock,
        deadline_seconds: float,
        loopback: Collection[Endpoint] = (),
    ) -> None:
        self._vault, self._clients, self._network, self._clock = vault, clients, network, clock
        self._deadline, self._loopback = deadline_seconds, frozenset(loopback)
        self._authorizing = Authorizing(network=network, clock=clock, loopback=self._loopback)

    async def opening(
        self, session: AsyncSession, org: OrgId, provider: str, *, always_look: bool
    ) -> "_Opening | None":
        """None for what is no server. Raises `NotFound`, `NoClient`, or `Invalid` for one that wants no sign-in."""
        server = server_of(provider)
        if server is None:
            return None
        ring = await self._vault.keyring(session, org)
        known = await store.server(session, ring, server, also_removed=True)
        if known.sign_in is None:
            raise Invalid("this server asks nobody to sign in", advice="Ask it again for its tools.")
        client = await self._clients.of(session, org, provider)
        where = address(known.url, title=known.title, loopback=self._loopback)
        return _Opening(self, server, where, known.sign_in, client, always_look)

    async def confirmed(self, server: Address, pinned: SignIn) -> None:
        """Ask server and issuer again. Raises `DiscoveryRefused` when they are no longer as pinned."""
        now = await self._authorizing.published(server, pinned=pinned)
        if now.resource != pinned.resource:
            raise DiscoveryRefused(server.title, reason="they have changed since they were accepted")

    def endpoint(self, server: UUID, where: Address, pinned: SignIn, client: ClientIdentity) -> TokenEndpoint:
        """The issuer's endpoints, bound to the server's own name."""
        way = "none" if client.client_secret is None else pinned.metadata.secret_goes
        known = as_provider(provider_id(server), where, issuer=pinned.issuer)
        return TokenEndpoint(
            provider=replace(known, token_auth=way),
            client=client,
            http=self.http(pinned.issuer, where.title),
            clock=self._clock,
            metadata=pinned.metadata,
            resource=pinned.resource,
        )

    def http(self, url: str, title: str) -> HttpPolicy:
        """The network, to the host of `url` and nowhere else."""
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
        hosts = Hosts(exact=frozenset({host}), loopback=(host, port) in self._loopback)
        return HttpPolicy(deadline_seconds=self._deadline, transport=self._network.transport(hosts, name=title))


class _Opening:
    """What was read; called once no transaction is open."""

    def __init__(
        self, ends: McpEndpoints, server: UUID, where: Address, pinned: SignIn, client: ClientIdentity, consents: bool
    ) -> None:
        self._ends, self._server, self._where = ends, server, where
        self._pinned, self._client, self._consents = pinned, client, consents

    async def __call__(self) -> TokenEndpoint:
        if self._consents:
            await self._ends.confirmed(self._where, self._pinned)
        return self._ends.endpoint(self._server, self._where, self._pinned, self._client)
