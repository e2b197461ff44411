"""Asks providers whether grants still live, where they can be asked (RFC 7662).

A person may have removed Joule in the provider's own settings, and nobody would notice before the next call. A provider's
"not active" is never believed by itself, since some say it of tokens they merely do not know the kind of: the tokens are
renewed instead, and a refusal of that is what ends the grant. Only where nothing can be renewed does the word count alone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from integrations import grants
from integrations.care.results import Looked
from integrations.endpoints import ProviderEndpoints
from integrations.errors import NeedsReconnecting
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.secret import Secret
from integrations.oauth.wire import Introspection, TokenSet
from integrations.refreshing import Refreshing
from integrations.tables import OAuthGrantRow
from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId
from joule.vault.vault import Vault

ENDED_THERE = "ended_at_provider"
_LIVING = frozenset({"active", "refresh_unknown"})


@dataclass(frozen=True, kw_only=True)
class Looking:
    """One process's way of asking."""

    database: Database
    vault: Vault
    clock: Clock
    endpoints: ProviderEndpoints
    refreshing: Refreshing

    async def at(self, org: OrgId, grant: UUID, *, decision: DecisionId) -> Looked:
        """What is found. Puts off the next look before it asks, so that a provider that fails is not asked at once again.

        Raises `NotFound`, and what the wire raises: then nothing was learnt.
        """
        async with self.database.write(org) as session:
            row = await session.get(OAuthGrantRow, (org, grant), with_for_update=True)
            if row is None:
                raise NotFound("grant")
            row.look_at, row.decision_id = None, decision
            if row.status not in _LIVING or row.tokens is None:
                return Looked(grant=grant, found="unasked")
            row.look_at = grants.next_look(self.clock.now())
            tenant = await grants.tenant_of(session, self.vault, org, row)
            tokens, seen = await grants.open_tokens(session, self.vault, org, row), row.generation
            renewable = row.can_refresh
            opening = await self.endpoints.of(session, org, row.provider, tenant=tenant)
        endpoint = await opening()
        if not isinstance(endpoint, TokenEndpoint) or endpoint.provider.introspection_url is None:
            await self._never(org, grant, decision)
            return Looked(grant=grant, found="unasked")
        told = await _asked(endpoint, tokens, now=self.clock.now())
        if told is None:
            return Looked(grant=grant, found="unasked")
        if told.active:
            await self._lives(org, grant, seen, told, decision)
            return Looked(grant=grant, found="alive")
        return Looked(grant=grant, found=await self._doubted(org, grant, seen, renewable, decision))

    async def _doubted(
        self, org: OrgId, grant: UUID, seen: int, renewable: bool, decision: DecisionId
    ) -> Literal["renewed", "dead"]:
        if renewable:
            try:
                await self.refreshing.refresh(org, grant, seen=seen, decision=decision)
            except NeedsReconnecting:
                return "dead"
            return "renewed"
        async with self.database.write(org) as session:
            row = await session.get(OAuthGrantRow, (org, grant), with_for_update=True)
            if row is None or row.generation != seen or row.status not in _LIVING:
                return "renewed"  # by somebody else, meanwhile
            row.status, row.problem, row.decision_id = "needs_reconnecting", ENDED_THERE, decision
            row.look_at = row.due_at = None
        return "dead"

    async def _lives(self, org: OrgId, grant: UUID, seen: int, told: Introspection, decision: DecisionId) -> None:
        """Note what is granted now, where the provider says it."""
        if told.scopes is None:
            return
        async with self.database.write(org) as session:
            row = await session.get(OAuthGrantRow, (org, grant), with_for_update=True)
            if row is None or row.generation != seen:
                return
            known = grants.provider_of(row.provider)
            scopes = {} if known is None else known.scopes
            if scopes and not set(told.scopes) & set(scopes):
                return  # it speaks of them by other names here
            found = grants.granted_of(scopes, tuple(row.requested), told.scopes)
            if set(found) != set(row.granted):
                row.granted, row.scope_source, row.decision_id = list(found), "introspection", decision

    async def _never(self, org: OrgId, grant: UUID, decision: DecisionId) -> None:
        async with self.database.write(org) as session:
            row = await session.get(OAuthGrantRow, (org, grant), with_for_update=True)
            if row is not None:
                row.look_at, row.decision_id = None, decision


async def _asked(endpoint: TokenEndpoint, tokens: TokenSet, *, now: datetime) -> Introspection | None:
    """What is said of the token that tells most: the access token while it lasts, else the one that renews it."""
    asked: Secret | None = tokens.access_token
    hint: Literal["access_token", "refresh_token"] = "access_token"
    if tokens.expires_at is not None and tokens.expires_at <= now:
        asked, hint = tokens.refresh_token, "refresh_token"
    return None if asked is None else await endpoint.introspect(asked, hint=hint)
