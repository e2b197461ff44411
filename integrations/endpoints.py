"""Finds a provider's OAuth endpoints, as the client Joule is there: what is read in a transaction, what is asked after it."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.broker.addresses import Hosts
from integrations.broker.guard import Network
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.clients import Clients
from integrations.grants import Opening
from integrations.oauth.discovery import Discovery, ServerMetadata
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.errors import DiscoveryRefused
from integrations.oauth.hosts import for_tenant
from integrations.oauth.sending import HttpPolicy
from integrations.pins import Pins
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, OrgId

ConsentOpening = Callable[[], Awaitable[TokenEndpoint]]
Http = Callable[[Provider], HttpPolicy]


class Served(Protocol):
    """Providers that no catalogue knows: MCP servers that want to be signed in to."""

    async def opening(
        self, session: AsyncSession, org: OrgId, provider: str, *, always_look: bool
    ) -> ConsentOpening | None:
        """None: it is none of those."""
        ...


class ProviderEndpoints:
    """The endpoints of the catalogue's providers, each over a transport that reaches its own hosts alone."""

    def __init__(self, *, pins: Pins, clients: Clients, http: Http, clock: Clock, served: Served | None = None) -> None:
        self._pins = pins
        self._clients, self._http, self._clock, self._served = clients, http, clock, served
        self._discoveries: dict[str, Discovery] = {}

    async def of(self, session: AsyncSession, org: OrgId, provider: str, *, tenant: str | None) -> Opening:
        """For tokens that exist. Raises `ProviderUnknown`, `HostRefused` or `NoClient`."""
        return await self._opening(session, org, provider, tenant=tenant, consent=None)

    async def for_consent(
        self, session: AsyncSession, org: OrgId, provider: str, *, tenant: str | None, decision: DecisionId
    ) -> ConsentOpening:
        """For a consent under way, in which what the provider publishes about itself counts too, and is pinned at first.

        Raises as `of` does; opening it raises `DiscoveryRefused` for what has changed since, which is then on record.
        """
        return await self._opening(session, org, provider, tenant=tenant, consent=decision)

    async def _opening(
        self, session: AsyncSession, org: OrgId, provider: str, *, tenant: str | None, consent: DecisionId | None
    ) -> ConsentOpening:
        if self._served is not None:
            other = await self._served.opening(session, org, provider, always_look=consent is not None)
            if other is not None:
                return other
        known = catalogue().provider(provider)
        if tenant is not None:
            known = for_tenant(known, tenant)
        client = await self._clients.of(session, org, provider)
        looks = known.issuer is not None and (consent is not None or known.token_url is None)
        pinned = await self._pins.of(session, org, provider, known.issuer) if looks and known.issuer else None

        async def opening() -> TokenEndpoint:
            http = self._http(known)
            metadata = await self._seen(org, known, http, pinned=pinned, consent=consent) if looks else None
            return TokenEndpoint(provider=known, client=client, http=http, clock=self._clock, metadata=metadata)

        return opening

    async def _seen(
        self,
        org: OrgId,
        provider: Provider,
        http: HttpPolicy,
        *,
        pinned: ServerMetadata | None,
        consent: DecisionId | None,
    ) -> ServerMetadata:
        """What the provider publishes now, if it agrees with what this organisation has seen first."""
        issuer = provider.issuer or ""
        try:
            seen = await self._discovery(provider, http).of(provider, pinned=pinned)
        except DiscoveryRefused as refused:
            if consent is not None and refused.has_changed:
                await self._pins.note(org, provider.id, issuer, refused=True, decision=consent)
            raise
        if consent is not None and pinned is None:
            await self._pins.keep(org, provider.id, seen, decision=consent)
        elif consent is not None:
            await self._pins.note(org, provider.id, issuer, refused=False, decision=consent)
        return seen

    def _discovery(self, provider: Provider, http: HttpPolicy) -> Discovery:
        return self._discoveries.setdefault(provider.issuer or "", Discovery(http=http, clock=self._clock))


def guarded(network: Network, *, deadline_seconds: float) -> Http:
    """OAuth over the guarded network: to each provider's own hosts and nowhere else."""

    def http(provider: Provider) -> HttpPolicy:
        transport = network.transport(hosts_of(provider), name=provider.title)
        return HttpPolicy(deadline_seconds=deadline_seconds, transport=transport)

    return http


def hosts_of(provider: Provider) -> Hosts:
    """Whom OAuth with this provider may speak to: the hosts of its endpoints, of its API, and its tenants'."""
    urls = (
        provider.authorization_url,
        provider.token_url,
        provider.introspection_url,
        provider.metadata_url,
        provider.permissions_url,
        provider.issuer,
        provider.revocation.url,
        *(clue.url for clue in provider.account),
    )
    named = {urlsplit(url).hostname for url in urls if url is not None and "{" not in urlsplit(url).netloc}
    exact = {host.lower() for host in (*named, *provider.hosts) if host and "{" not in host}
    patterns = (provider.per_tenant_host,) if provider.per_tenant_host and not provider.demo else ()
    return Hosts(exact=frozenset(exact), patterns=patterns, loopback=provider.demo)
