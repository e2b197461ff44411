"""Begins and finishes consents. No transaction is open while the provider is spoken with.

What goes wrong after the provider has issued tokens and before they are kept ends those tokens at the provider: nothing
that nobody knows of stays alive there.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations import grants, pending
from integrations._columns import ACCOUNT, GRANT_TENANT
from integrations._late import Late
from integrations.actions import BeginConnection, FinishConnection
from integrations.catalogue import implied
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider, Scope
from integrations.endpoints import ConsentOpening, ProviderEndpoints
from integrations.errors import ConnectionRevoked, ConsentDeclined, ConsentUnusable, NotAllowedHere
from integrations.oauth.callback import new_state, new_verifier
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.errors import RequestRefused
from integrations.oauth.hosts import checked_tenant
from integrations.oauth.secret import Secret
from integrations.oauth.wire import TokenSet
from integrations.pending import Wanted
from integrations.results import Connected, ConsentPage
from integrations.results import Secret as Shown
from integrations.rules import rule_of
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Consenting:
    """Speaks with the person's browser and the provider's endpoints."""

    database: Database
    vault: Vault
    clock: Clock
    endpoints: ProviderEndpoints
    late: Late
    demo_host: str | None  # where the demonstration listens; None: it does not

    async def begin(self, action: BeginConnection, *, decision: DecisionId) -> ConsentPage:
        """Where to send the browser. Raises `NotAllowedHere`, `NoClient`, `HostRefused`, `Invalid` or what the wire raises."""
        org = action.principal.org
        async with self.database.read(org) as session:
            wanted = await self._wanted(session, action)
            opening = await self.endpoints.for_consent(session, org, wanted.provider, tenant=wanted.tenant)
        endpoint = await opening()
        asked = endpoint.authorization_request(new_state(), new_verifier(), wanted.redirect_uri, wanted.scopes)
        asked = await endpoint.pushed(asked)
        async with self.database.write(org) as session:
            ring = await self.vault.keyring(session, org)
            until = await pending.put(
                session,
                ring,
                wanted,
                state=asked.state,
                verifier=asked.verifier,
                now=self.clock.now(),
                decision=decision,
            )
        return ConsentPage(
            url=Shown(asked.url), state=Shown(asked.state.reveal()), provider=wanted.provider, expires_at=until
        )

    async def finish(self, action: FinishConnection, *, decision: DecisionId) -> Connected:
        """The connection. Raises `ConsentUnusable` or `ConsentDeclined` before anything is sent; then what the wire raises."""
        org = action.principal.org
        wanted, verifier, opening = await self._take(action, decision)
        endpoint = await opening()
        try:
            code = endpoint.check_callback(
                code=None if action.code is None else Secret(action.code.get_secret_value()),
                issuer=action.issuer,
                error=action.error,
            )
        except RequestRefused as problem:
            raise ConsentDeclined(grants.title_of(wanted.provider), problem.error) from None
        tokens = await endpoint.exchange(code, verifier, wanted.redirect_uri)
        tenant = tokens.extra.get("tenant") or wanted.tenant  # where calls go, which may not be where consent is
        grant = None
        try:
            told, source = await _scopes_of(endpoint, tokens)
            async with self.database.write(org) as session:
                grant = await self._grant(session, org, wanted, tokens, tenant=tenant, decision=decision)
                known = _known(wanted)
                granted = grants.granted_now(known, wanted.scopes, told)
                grant.requested, grant.granted, grant.scope_source = list(wanted.scopes), list(granted), source
                await session.flush()
                made = await self._connections(session, org, wanted, grant, decision=decision)
        except BaseException:
            name = new_id() if grant is None else grant.id
            await self.late.end(
                org, name, wanted.provider, opening, tokens, decision=decision, cause="unfinished", tenant=tenant
            )
            raise
        return Connected(
            connection=made[0],
            grant=grant.id,
            connections=made,
            provider=wanted.provider,
            granted=granted,
            missing=implied.dropped(wanted.scopes, granted),
            return_to=wanted.return_to,
            task=wanted.task,
        )

    async def _wanted(self, session: AsyncSession, action: BeginConnection) -> Wanted:
        person = action.principal.person
        if person is None:
            raise Invalid("nobody is there to consent", advice="Sign in, and start from the Integrations page.")
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

    async def _take(self, action: FinishConnection, decision: DecisionId) -> tuple[Wanted, Secret, ConsentOpening]:
        org = action.principal.org
        async with self.database.write(org) as session:  # committed before it is believed: a state works once
            taken = await pending.take(
                session,
                await self.vault.keyring(session, org),
                state=Secret(action.state.get_secret_value()),
                provider=action.provider,
                person=action.principal.person,
                browser=action.session,
                now=self.clock.now(),
                decision=decision,
            )
        if taken.refusal:
            raise ConsentUnusable(taken.refusal)
        wanted = taken.wanted
        async with self.database.read(org) as session:
            for each in wanted.products:  # the rule may have changed while the person was away
                if not (await rule_of(session, org, each)).allowed:
                    raise NotAllowedHere(grants.title_of(each))
            opening = await self.endpoints.for_consent(session, org, wanted.provider, tenant=wanted.tenant)
        return wanted, taken.verifier, opening

    async def _grant(
        self,
        session: WriteSession,
        org: OrgId,
        wanted: Wanted,
        tokens: TokenSet,
        *,
        tenant: str | None,
        decision: DecisionId,
    ) -> OAuthGrantRow:
        """The grant these tokens belong to: that of the connection that gets more, else a new one."""
        now = self.clock.now()
        row = await self._existing(session, org, wanted)
        if row is None:
            row = OAuthGrantRow(
                org_id=org,
                id=new_id(),
                provider=wanted.provider,
                family=_family(wanted.provider),
                granted_by=wanted.person,
                requested=list(wanted.scopes),
                granted=[],
                scope_source="assumed",
                catalogue_version="",
                status="active",
                generation=0,
                can_refresh=False,
                refreshed_at=now,
                created_at=now,
                decision_id=decision,
            )
            session.add(row)
        ring = await self.vault.keyring(session, org)
        account = tokens.extra.get("account")
        if account:
            row.account = ring.seal_text(account[:200], row=row.id, field=ACCOUNT)
        if tenant is not None:
            row.tenant = ring.seal_text(tenant, row=row.id, field=GRANT_TENANT)
        row.catalogue_version, row.decision_id = catalogue().version, decision
        await grants.seal_tokens(session, self.vault, org, row, tokens, now=now)
        return row

    async def _existing(self, session: WriteSession, org: OrgId, wanted: Wanted) -> OAuthGrantRow | None:
        if wanted.connection is None:
            return None
        connection = await session.get(ConnectionRow, (org, wanted.connection))
        row = None
        if connection is not None:  # the grant first: whoever disconnects locks in the same order
            row = await session.get(OAuthGrantRow, (org, connection.grant_id), with_for_update=True)
            await session.refresh(connection)
        if connection is None or row is None or "revoked" in {connection.status, row.status}:
            raise ConnectionRevoked(grants.title_of(wanted.provider))
        return row

    async def _connections(
        self, session: WriteSession, org: OrgId, wanted: Wanted, grant: OAuthGrantRow, *, decision: DecisionId
    ) -> tuple[UUID, ...]:
        """One connection for each product, those that exist kept. What was agreed to has changed: epochs rise."""
        query = select(ConnectionRow).where(
            col(ConnectionRow.org_id) == org,
            col(ConnectionRow.grant_id) == grant.id,
            col(ConnectionRow.status) == "active",
        )
        rows = {row.provider: row for row in (await session.execute(query.with_for_update())).scalars()}
        for row in rows.values():
            row.epoch, row.decision_id = row.epoch + 1, decision
        for product in wanted.products:
            if product not in rows:
                rows[product] = ConnectionRow(
                    org_id=org,
                    id=new_id(),
                    grant_id=grant.id,
                    provider=product,
                    status="active",
                    epoch=1,
                    read_only=wanted.read_only,
                    connected_by=wanted.person,
                    connected_at=self.clock.now(),
                    decision_id=decision,
                )
                session.add(rows[product])
            else:
                rows[product].read_only = wanted.read_only
        await session.flush()
        return tuple(rows[product].id for product in wanted.products)


async def _scopes_of(endpoint: TokenEndpoint, tokens: TokenSet) -> tuple[TokenSet, str]:
    """The tokens with what was granted in them where the provider tells, and how it told."""
    told_by = endpoint.provider.granted_from
    if tokens.scopes is None and told_by == "introspection" and endpoint.provider.introspection_url is not None:
        seen = await endpoint.introspect(tokens.access_token, hint="access_token")
        tokens = replace(tokens, scopes=seen.scopes)
    return tokens, "assumed" if tokens.scopes is None else told_by if told_by != "assumed" else "response"


def _known(wanted: Wanted) -> dict[str, Scope]:
    return {name: scope for each in wanted.products for name, scope in catalogue().provider(each).scopes.items()}


def _family(provider: str) -> str:
    known = grants.provider_of(provider)
    return provider if known is None else known.family
