"""Begins and finishes consents. No transaction is open while the provider is spoken with.

What goes wrong after the provider has issued tokens and before they are kept ends those tokens at the provider: nothing
that nobody knows of stays alive there.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel import col, select

from integrations import grants, naming, pending, stepping
from integrations._columns import GRANT_TENANT
from integrations._late import Late
from integrations._wanting import Wanting
from integrations.actions import BeginConnection, FinishConnection
from integrations.catalogue import implied
from integrations.catalogue.account import NamedAccount
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Scope
from integrations.endpoints import ConsentOpening, ProviderEndpoints
from integrations.errors import ConnectionRevoked, ConsentDeclined, ConsentUnusable, NotAllowedHere
from integrations.oauth.callback import new_state, new_verifier
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.errors import RequestRefused
from integrations.oauth.secret import Secret
from integrations.oauth.wire import TokenSet
from integrations.pending import Wanted
from integrations.results import Connected, ConsentPage
from integrations.results import Secret as Shown
from integrations.rules import rule_of
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.kernel.principal import Role
from joule.vault.keys import Keyring
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Consenting:
    """Speaks with the person's browser and the provider's endpoints."""

    database: Database
    vault: Vault
    clock: Clock
    endpoints: ProviderEndpoints
    late: Late
    wanting: Wanting
    questions: stepping.Questions

    async def begin(self, action: BeginConnection, *, decision: DecisionId) -> ConsentPage:
        """Where to send the browser. Raises `NotAllowedHere`, `NoClient`, `HostRefused`, `Invalid` or what the wire raises."""
        org = action.principal.org
        async with self.database.read(org) as session:
            wanted = await self.wanting.of(session, action)
            opening = await self.endpoints.for_consent(
                session, org, wanted.provider, tenant=wanted.tenant, decision=decision
            )
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
                returned=None if action.returned is None else Secret(action.returned.get_secret_value()),
            )
        except RequestRefused as problem:
            raise ConsentDeclined(grants.title_of(wanted.provider), problem.error) from None
        tokens = await endpoint.exchange(code, verifier, wanted.redirect_uri)
        tenant = tokens.extra.get("tenant") or wanted.tenant  # where calls go, which may not be where consent is
        grant = None
        try:
            told, source = await _scopes_of(endpoint, tokens)
            granted = grants.granted_now(_known(wanted), wanted.scopes, told)
            whose = await naming.told_by(endpoint, tokens, granted=granted, tenant=tenant)
            async with self.database.write(org) as session:
                same = action.principal.role is Role.MEMBER  # who connects may change the account; who adds may not
                account = _Account(tokens=tokens, tenant=tenant, told=whose)
                grant = await self._grant(session, org, wanted, account, decision=decision, same=same)
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
                rule, known = await rule_of(session, org, each), grants.provider_of(each)
                choices = () if known is None else [s.name for s in known.scopes.values() if not s.always]
                if not rule.allows(set(choices) & set(wanted.scopes)):
                    raise NotAllowedHere(grants.title_of(each))
            await stepping.check_finish(session, action.principal, wanted)
            opening = await self.endpoints.for_consent(
                session, org, wanted.provider, tenant=wanted.tenant, decision=decision
            )
        return wanted, taken.verifier, opening

    async def _grant(
        self,
        session: WriteSession,
        org: OrgId,
        wanted: Wanted,
        account: "_Account",
        *,
        decision: DecisionId,
        same: bool,
    ) -> OAuthGrantRow:
        """The grant these tokens belong to: that of the connection that gets more, else a new one."""
        now = self.clock.now()
        ring = await self.vault.keyring(session, org)
        row = await self._existing(session, org, wanted)
        if row is None:
            row = await self._waited_for(session, ring, wanted, account)
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
        elif same:
            connected = await grants.open_tokens(session, self.vault, org, row)
            stepping.check_account(ring, row, connected, account.told)
        naming.keep(ring, row, account.told or NamedAccount(), tenant=account.tenant)
        row.name_at = naming.again_at(row, account.told, now=now, first=True)
        if account.tenant is not None:
            row.tenant = ring.seal_text(account.tenant, row=row.id, field=GRANT_TENANT)
        row.catalogue_version, row.decision_id = catalogue().version, decision
        await grants.seal_tokens(session, self.vault, org, row, account.tokens, now=now)
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

    async def _waited_for(
        self, session: WriteSession, ring: Keyring, wanted: Wanted, account: "_Account"
    ) -> OAuthGrantRow | None:
        """The grant of the very account that was just consented to anew, if a task waits for a permission of it.

        Only where the provider says whose account it is, and where nothing is lost: then this is that connection with
        more, and not a second one beside it that the task could not use.
        """
        if wanted.connection is not None or account.told is None or account.told.words is None:
            return None
        for each in sorted(await self.questions.waited_for(session, ring.org)):
            there = await session.get(ConnectionRow, (ring.org, each))
            if there is None or there.status != "active" or there.provider not in wanted.products:
                continue
            row = await session.get(OAuthGrantRow, (ring.org, there.grant_id), with_for_update=True)
            if row is None or row.status == "revoked" or not set(row.requested) <= set(wanted.scopes):
                continue
            connected = await grants.open_tokens(session, self.vault, ring.org, row)
            if naming.is_same(ring, row, connected, account.told):
                return row
        return None

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


@dataclass(frozen=True, kw_only=True)
class _Account:
    """What came of a consent: tokens, where calls go, and whose account it is. `told` None: nobody could be asked."""

    tokens: TokenSet
    tenant: str | None
    told: NamedAccount | None


async def _scopes_of(endpoint: TokenEndpoint, tokens: TokenSet) -> tuple[TokenSet, str]:
    """The tokens with what was granted in them where the provider tells, and how it told."""
    told_by = endpoint.provider.granted_from
    if tokens.scopes is None and told_by == "introspection" and endpoint.provider.introspection_url is not None:
        seen = await endpoint.introspect(tokens.access_token, hint="access_token")
        tokens = replace(tokens, scopes=seen.scopes)
    return tokens, "assumed" if tokens.scopes is None else told_by if told_by != "assumed" else "response"


def _known(wanted: Wanted) -> dict[str, Scope]:
    found = (grants.provider_of(each) for each in wanted.products)  # an MCP server's scopes nobody has words for
    return {name: scope for each in found if each is not None for name, scope in each.scopes.items()}


def _family(provider: str) -> str:
    known = grants.provider_of(provider)
    return provider if known is None else known.family
