"""Works out what a consent is for: checked against the catalogue, or the MCP server, and the organisation's own rules."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from integrations import grants, pending
from integrations.actions import BeginConnection
from integrations.catalogue import implied
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.errors import ConnectionRevoked, NotAllowedHere
from integrations.mcp.sign_in import server_of
from integrations.mcp.wanting import wanted_of_server
from integrations.oauth.hosts import checked_tenant
from integrations.pending import Wanted
from integrations.rules import rule_of
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.kernel.errors import Invalid, NotFound
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Wanting:
    """What a person may ask a provider for."""

    vault: Vault
    demo_host: str | None  # where the demonstration listens; None: it does not

    async def of(self, session: AsyncSession, action: BeginConnection) -> Wanted:
        """Raises `NotAllowedHere`, `ConnectionRevoked`, `NotFound`, `HostRefused` or `Invalid`."""
        person = action.principal.person
        if person is None:
            raise Invalid("nobody is there to consent", advice="Sign in, and start from the Integrations page.")
        if server_of(action.provider) is not None:
            return await wanted_of_server(session, self.vault, action, person=person)
        shelf = catalogue()
        provider = shelf.provider(action.provider)
        products = (action.provider, *(each for each in action.products if each != action.provider))
        if {shelf.provider(each).family for each in products} != {provider.family}:
            raise Invalid("these products do not share a consent", advice="Connect each of them on its own.")
        chosen = set(action.scopes)
        if action.connection is not None:
            chosen |= await self._asked_before(session, action, products)
        scopes: list[str] = []
        for each in products:
            rule = await rule_of(session, action.principal.org, each)
            asked = implied.to_ask(shelf.provider(each), chosen)
            if not rule.allows(scope for scope in asked if not shelf.provider(each).scopes[scope].always):
                raise NotAllowedHere(grants.title_of(each))
            scopes.extend(scope for scope in asked if scope not in scopes)
        if chosen - set(scopes):
            raise Invalid("one of these permissions is not this provider's", advice="Choose from the list.")
        return Wanted(
            provider=action.provider,
            person=person,
            session=action.session,
            redirect_uri=pending.checked_redirect(action.redirect_uri, action.provider),
            products=products,
            scopes=tuple(scopes),
            read_only=action.read_only,
            tenant=self._tenant(provider, action.tenant_host),
            return_to=pending.checked_return(action.return_to),
            connection=action.connection,
            task=action.task,
        )

    def _tenant(self, provider: Provider, asked: str | None) -> str | None:
        if provider.demo:
            if self.demo_host is None:
                raise Invalid(
                    "the demonstration is not running", advice="Set JOULE_INTEGRATIONS_DEMO_PORT and restart."
                )
            asked = self.demo_host  # and nothing else on this machine
        if asked is None and provider.per_tenant_host is not None and "{tenant}" in (provider.token_url or ""):
            raise Invalid(f"{provider.title} needs to know which account's address", advice=provider.tenant_words)
        return None if asked is None else checked_tenant(provider, asked)

    async def _asked_before(
        self, session: AsyncSession, action: BeginConnection, products: tuple[str, ...]
    ) -> set[str]:
        row = await session.get(ConnectionRow, (action.principal.org, action.connection))
        if row is None or row.provider not in products:
            raise NotFound("connection")
        if row.status == "revoked":
            raise ConnectionRevoked(grants.title_of(row.provider), row.revoked_at)
        grant = await session.get(OAuthGrantRow, (action.principal.org, row.grant_id))
        return set() if grant is None else set(grant.requested)
