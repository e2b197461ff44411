"""Finds a provider's OAuth endpoints, as the client Joule is there: what is read in a transaction, what is asked after it."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.broker.addresses import Hosts
from integrations.broker.guard import Network
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.clients import Clients
from integrations.grants import Opening
from integrations.oauth.discovery import Discovery
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.hosts import for_tenant
from integrations.oauth.sending import HttpPolicy
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId

ConsentOpening = Callable[[], Awaitable[TokenEndpoint]]
Http = Callable[[Provider], HttpPolicy]


class ProviderEndpoints:
    """The endpoints of the catalogue's providers, each over a transport that reaches its own hosts alone."""

    def __init__(self, *, clients: Clients, http: Http, clock: Clock) -> None:
        self._clients, self._http, self._clock = clients, http, clock
        self._discoveries: dict[str, Discovery] = {}  # what was seen first is pinned for as long as the process lives

    async def of(self, session: AsyncSession, org: OrgId, provider: str, *, tenant: str | None) -> Opening:
        """For tokens that exist. Raises `ProviderUnknown`, `HostRefused` or `NoClient`."""
        return await self._opening(session, org, provider, tenant=tenant, always_look=False)

    async def for_consent(
        self, session: AsyncSession, org: OrgId, provider: str, *, tenant: str | None
    ) -> ConsentOpening:
        """For a consent under way, in which what the provider publishes about itself counts too. Raises as `of` does."""
        return await self._opening(session, org, provider, tenant=tenant, always_look=True)

    async def _opening(
        self, session: AsyncSession, org: OrgId, provider: str, *, tenant: str | None, always_look: bool
    ) -> ConsentOpening:
        known = catalogue().provider(provider)
        if tenant is not None:
            known = for_tenant(known, tenant)
        client = await self._clients.of(session, org, provider)

        async def opening() -> TokenEndpoint:
            http = self._http(known)
            looks = known.issuer is not None and (always_look or known.token_url is None)
            metadata = await self._discovery(known, http).of(known) if looks else None
            return TokenEndpoint(provider=known, client=client, http=http, clock=self._clock, metadata=metadata)

        return opening

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
    )
    named = {urlsplit(url).hostname for url in urls if url is not None and "{" not in urlsplit(url).netloc}
    exact = {host.lower() for host in (*named, *provider.hosts) if host and "{" not in host}
    patterns = (provider.per_tenant_host,) if provider.per_tenant_host and not provider.demo else ()
    return Hosts(exact=frozenset(exact), patterns=patterns, loopback=provider.demo)
