"""Asks whose account a connection is, where that could not be learnt while it was connected.

The token is taken as any call takes it, so that a disconnection in between is seen; what comes back is kept only if the
grant still lives.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlmodel import col, select

from integrations import naming
from integrations.care.results import Named
from integrations.catalogue.account import NamedAccount
from integrations.endpoints import ProviderEndpoints
from integrations.oauth.endpoint import TokenEndpoint
from integrations.refreshing import Refreshing
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId
from joule.vault.vault import Vault

TURN = timedelta(minutes=15)  # how long one attempt keeps others from trying
_LIVING = frozenset({"active", "refresh_unknown"})


@dataclass(frozen=True, kw_only=True)
class Naming:
    """One process's way of asking."""

    database: Database
    vault: Vault
    clock: Clock
    endpoints: ProviderEndpoints
    refreshing: Refreshing

    async def of(self, org: OrgId, grant: UUID, *, decision: DecisionId) -> Named:
        """What was learnt. Raises `NotFound`, and what taking a token raises: then it is asked again later."""
        async with self.database.write(org) as session:
            row = await session.get(OAuthGrantRow, (org, grant), with_for_update=True)
            if row is None:
                raise NotFound("grant")
            query = select(ConnectionRow.id).where(
                col(ConnectionRow.org_id) == org,
                col(ConnectionRow.grant_id) == grant,
                col(ConnectionRow.status) == "active",
            )
            connection = (await session.execute(query.limit(1))).scalar_one_or_none()
            row.decision_id = decision
            if row.status not in _LIVING or connection is None:
                row.name_at = None
                return Named(grant=grant, found="unasked")
            row.name_at = self.clock.now() + TURN
        usable = await self.refreshing.usable(org, connection, decision=decision)
        async with self.database.read(org) as session:
            opening = await self.endpoints.of(session, org, row.provider, tenant=usable.tenant)
        endpoint = await opening()
        told: NamedAccount | None = NamedAccount()
        if isinstance(endpoint, TokenEndpoint):
            told = await naming.told_by(endpoint, usable.tokens, granted=usable.granted, tenant=usable.tenant)
        return await self._keep(org, grant, told, tenant=usable.tenant, decision=decision)

    async def _keep(
        self, org: OrgId, grant: UUID, told: NamedAccount | None, *, tenant: str | None, decision: DecisionId
    ) -> Named:
        async with self.database.write(org) as session:
            row = await session.get(OAuthGrantRow, (org, grant), with_for_update=True)
            if row is None or row.status not in _LIVING:
                return Named(grant=grant, found="unasked")
            if told is not None:
                naming.keep(await self.vault.keyring(session, org), row, told, tenant=tenant)
            row.name_at = naming.again_at(row, told, now=self.clock.now(), first=False)
            row.decision_id = decision
        if told is None:
            return Named(grant=grant, found="unasked")
        return Named(grant=grant, found="unsaid" if told.words is None else "named")
