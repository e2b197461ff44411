"""Finds a provider's OAuth endpoints, as the client Joule is there: what is read in a transaction, what is asked after it."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.catalogue.load import catalogue
from integrations.clients import Clients
from integrations.grants import Opening
from integrations.oauth.discovery import Discovery
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.hosts import for_tenant
from integrations.oauth.sending import HttpPolicy
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId

ConsentOpening = Callable[[], Awaitable[TokenEndpoint]]


class ProviderEndpoints:
    """The endpoints of the catalogue's providers, over one guarded transport."""

    def __init__(self, *, clients: Clients, http: HttpPolicy, clock: Clock) -> None:
        self._clients, self._http, self._clock = clients, http, clock
        self._discovery = Discovery(http=http, clock=clock)

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
            looks = known.issuer is not None and (always_look or known.token_url is None)
            metadata = await self._discovery.of(known) if looks else None
            return TokenEndpoint(provider=known, client=client, http=self._http, clock=self._clock, metadata=metadata)

        return opening
