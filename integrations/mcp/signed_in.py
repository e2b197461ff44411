"""Finds the sign-in of a server, and the token for one question to it.

A token is taken right before it is sent, from the service that renews all tokens; whoever signs out is felt by the next
question. It goes to the server it was asked for and nowhere else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations.errors import ConnectionRevoked, GrantDead, NeedsReconnecting, ProviderRefused, ScopeMissing
from integrations.grants import Usable
from integrations.mcp.errors import McpNeedsAuthorization
from integrations.mcp.line import WantsScopes, WantsToken
from integrations.mcp.sign_in import provider_id
from integrations.mcp.store import KeptServer
from integrations.oauth.secret import Secret
from integrations.refreshing import Refreshing
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId

T = TypeVar("T")
Asking = Callable[[Secret | None], Awaitable[T]]

NOTED_AT_MOST_EVERY = 60.0  # seconds


async def living(session: AsyncSession, org: OrgId, server: UUID) -> list[ConnectionRow]:
    """The connections of a server that were not ended, the newest first. There is one, or none."""
    query = select(ConnectionRow).where(
        col(ConnectionRow.org_id) == org,
        col(ConnectionRow.provider) == provider_id(server),
        col(ConnectionRow.status) == "active",
    )
    return list(await session.scalars(query.order_by(col(ConnectionRow.id).desc())))


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Asks servers as whoever an admin signed in."""

    database: Database
    clock: Clock
    refreshing: Refreshing

    async def asked(self, org: OrgId, server: KeptServer, ask: Asking[T], *, decision: DecisionId) -> T:
        """The answer to `ask`, which is given the token, or None where the server wants none.

        A token that is refused is renewed once. Raises `WantsToken` where it wants one though it wanted none before, `McpNeedsAuthorization` when nobody is signed in any more,
        `ScopeMissing` when the token lacks a permission, and what `ask` and the refresher raise.
        """
        if server.sign_in is None:
            try:
                return await ask(None)
            except WantsScopes:
                raise ProviderRefused(server.title, status=403) from None
        connection = await self._connection(org, server, decision)
        found = await self._usable(org, server, connection, decision)
        try:
            return await self._tried(server, found, ask)
        except WantsToken:
            found = await self._usable(org, server, connection, decision, stale=found.generation)
        try:
            return await self._tried(server, found, ask)
        except WantsToken:
            await self._died(org, found, decision)
            raise McpNeedsAuthorization(server.title) from None

    async def _tried(self, server: KeptServer, found: Usable, ask: Asking[T]) -> T:
        try:
            return await ask(found.tokens.access_token)
        except WantsScopes as lacking:
            new = tuple(each for each in lacking.scopes if each not in found.granted)
            if not new:
                raise ProviderRefused(server.title, status=403) from None
            name = provider_id(server.server)
            raise ScopeMissing(name, new, connection=str(found.connection), title=server.title) from None

    async def _connection(self, org: OrgId, server: KeptServer, decision: DecisionId) -> UUID:
        async with self.database.read(org) as session:
            found = await living(session, org, server.server)
            if not found:
                raise McpNeedsAuthorization(server.title)
            connection, used = found[0].id, found[0].used_at
        now = self.clock.now()
        if used is None or (now - used).total_seconds() >= NOTED_AT_MOST_EVERY:
            async with self.database.write(org) as session:
                row = await session.get(ConnectionRow, (org, connection))
                if row is not None:
                    row.used_at, row.decision_id = now, decision
        return connection

    async def _usable(
        self, org: OrgId, server: KeptServer, connection: UUID, decision: DecisionId, *, stale: int | None = None
    ) -> Usable:
        try:
            return await self.refreshing.usable(org, connection, decision=decision, stale=stale)
        except (ConnectionRevoked, GrantDead, NeedsReconnecting, NotFound):
            raise McpNeedsAuthorization(server.title) from None

    async def _died(self, org: OrgId, found: Usable, decision: DecisionId) -> None:
        """The server takes not even a token that was just renewed: somebody has to sign in again, and pages say so."""
        async with self.database.write(org) as session:
            row = await session.get(OAuthGrantRow, (org, found.grant), with_for_update=True)
            if row is not None and row.status == "active" and row.generation == found.generation:
                row.status, row.problem, row.due_at, row.decision_id = "needs_reconnecting", "refused", None, decision
