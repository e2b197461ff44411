"""Renews tokens: the one service that may, however many processes want to.

Of all who find a token stale one takes the grant's lease in a short transaction, asks the provider with no transaction
open, and stores the answer only if the generation is still the one it read and the grant still lives. The lease outlasts
the whole exchange threefold, checked at the start; a lease that is shorter destroys rotating grants. `attempt_at` is set
before anything leaves and cleared with the answer, so that a crash in between is seen by whoever comes next: they try
once more, confirm once, and then say that the account needs reconnecting. No grant dies unseen.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from integrations import glance, grants
from integrations._ahead import check_allowed, put_off
from integrations._late import Late
from integrations.errors import (
    AnswerRefused,
    ClientRefused,
    ConnectionRevoked,
    GrantDead,
    NeedsReconnecting,
    ProviderBusy,
)
from integrations.grants import Endpoints, Opening, Usable
from integrations.oauth.wire import TokenSet
from integrations.results import Refreshed
from integrations.tables import OAuthGrantRow
from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import Conflict, JouleError, Misconfigured
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.vault.vault import Vault

COOLDOWN = timedelta(seconds=30)
LONGEST_COOLDOWN = timedelta(hours=1)
CONFIRM_AFTER = timedelta(seconds=2)
NOTHING_HAPPENED = frozenset({"status_429", "status_503", "too_young"})  # the provider has surely issued nothing

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """Leave to ask the provider, until the lease ends."""

    owner: UUID
    seen: int
    provider: str
    tokens: TokenSet
    tenant: str | None
    opening: Opening
    after_a_crash: bool


class Refreshing:
    """One process's way to fresh tokens. Callers of one grant share one refresh, also when they are cancelled."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        clock: Clock,
        endpoints: Endpoints,
        deadline: timedelta,
        lease: timedelta,
        confirm_after: timedelta = CONFIRM_AFTER,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """`deadline` bounds one exchange with a provider. Raises `Misconfigured` for a lease under three of them."""
        if lease < 3 * deadline:
            raise Misconfigured(
                "the refresh lease is shorter than three deadlines",
                advice="Raise JOULE_INTEGRATIONS_LEASE_SECONDS to at least 3 × JOULE_INTEGRATIONS_DEADLINE_SECONDS.",
            )
        self._database, self._vault, self._clock, self._endpoints = database, vault, clock, endpoints
        self._deadline, self._lease = deadline, lease
        self._confirm_after, self._pause = confirm_after, pause
        self._late = Late(database=database, vault=vault, clock=clock)
        self._running: dict[tuple[OrgId, UUID], asyncio.Task[None]] = {}

    async def usable(
        self,
        org: OrgId,
        connection: UUID,
        *,
        decision: DecisionId,
        epoch: int | None = None,
        stale: int | None = None,
        held: Usable | None = None,
    ) -> Usable:
        """The connection with tokens good for a call now. Ask for it right before each call; keep it for none other.

        `epoch` is the one the call was checked under. `stale` is a generation the provider has just refused (401): it is
        renewed whatever its dates say. `held` is what was read for this very call a moment ago. Raises `ConnectionRevoked`, `NeedsReconnecting`,
        `NotAllowedHere`, `ClientRefused`, `ProviderBusy`.
        """
        for _ in range(3):
            found, held = held or await self._look(org, connection), None
            if epoch is not None and found.epoch != epoch:
                raise Conflict("connection")
            if found.generation != stale and self._is_fresh(found):
                return found
            try:
                await self.refresh(org, found.grant, seen=found.generation, decision=decision)
            except (ProviderBusy, AnswerRefused, ClientRefused):
                ends = found.tokens.expires_at
                if found.generation == stale or (ends is not None and ends <= self._clock.now()):
                    raise
                return found  # not renewed in good time, and still good
        raise ProviderBusy(grants.title_of(found.provider), reason="renewed_in_vain")

    async def ahead(self, org: OrgId, grant: UUID, *, decision: DecisionId) -> Refreshed:
        """Renew a grant ahead of need; put it off when nobody has used it and nothing lapses for that."""
        now = self._clock.now()
        async with self._database.write(org) as session:
            row = await _locked(session, org, grant)
            seen, later = row.generation, await put_off(session, row, now=now)
            if later is not None:
                row.due_at, row.decision_id = later, decision
        if later is not None or row.due_at is None or row.due_at > now:
            return Refreshed(grant=grant, generation=seen, changed=False)
        await self.refresh(org, grant, seen=seen, decision=decision)
        return Refreshed(grant=grant, generation=seen + 1, changed=True)

    async def refresh(self, org: OrgId, grant: UUID, *, seen: int, decision: DecisionId) -> None:
        """Have generation `seen` of a grant renewed, by whomever. Raises as `usable` does."""
        key = (org, grant)
        running = self._running.get(key)
        if running is None:
            running = asyncio.create_task(self._refresh(org, grant, seen, decision))
            self._running[key] = running
            running.add_done_callback(lambda done: self._ended(key, done))
        await asyncio.shield(running)  # a caller that is stopped must not stop an answer from being stored

    def _ended(self, key: tuple[OrgId, UUID], done: "asyncio.Task[None]") -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, also when every caller was stopped

    def _is_fresh(self, found: Usable) -> bool:
        renewable = grants.can_refresh(grants.provider_of(found.provider), found.tokens)
        until = found.tokens.refresh_due_at() if renewable else found.tokens.expires_at
        return until is None or self._clock.now() < until

    async def _look(self, org: OrgId, connection: UUID) -> Usable:
        return (await glance.look(self._database, self._vault, org, connection)).usable

    async def _refresh(self, org: OrgId, grant: UUID, seen: int, decision: DecisionId) -> None:
        turn = await self._wait_for_turn(org, grant, seen, decision)
        if turn is None:
            return
        try:
            fresh = await self._ask(turn)
        except GrantDead:
            await self._disbelieve(org, grant, turn, decision)
            return
        except ProviderBusy as problem:
            await self._release(org, grant, turn, problem, sure=problem.reason in NOTHING_HAPPENED)
            raise
        except ClientRefused as problem:
            await self._release(org, grant, turn, problem, sure=True)
            raise
        except JouleError as problem:
            await self._release(org, grant, turn, problem, sure=False)
            raise
        await self._store(org, grant, turn, fresh, decision)

    async def _wait_for_turn(self, org: OrgId, grant: UUID, seen: int, decision: DecisionId) -> _Turn | None:
        """Leave to ask; None when somebody else has renewed it. Raises `ProviderBusy` after a deadline of waiting."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._deadline.total_seconds()
        while True:
            async with self._database.write(org) as session:
                turn = await self._take(session, org, grant, seen, decision)
            if turn == "over":
                raise NeedsReconnecting("the account")
            if turn != "wait":
                return turn
            if loop.time() > until:
                raise ProviderBusy("the provider", reason="somebody_else_is_asking")
            await self._pause(random.uniform(0.02, 0.07))  # noqa: S311 - spreads load, guards nothing

    async def _take(
        self, session: WriteSession, org: OrgId, grant: UUID, seen: int, decision: DecisionId
    ) -> "_Turn | Literal['wait', 'over'] | None":
        now = self._clock.now()
        row = await _locked(session, org, grant)
        if row.generation != seen:
            return None
        if row.lease_until is not None and row.lease_until > now:
            return "wait"
        if row.cooldown_until is not None and row.cooldown_until > now:
            left = (row.cooldown_until - now).total_seconds()
            raise ProviderBusy(grants.title_of(row.provider), reason="cooling_down", retry_after=left)
        if not row.can_refresh:
            row.status, row.problem, row.due_at, row.decision_id = "needs_reconnecting", "ran_out", None, decision
            return "over"
        await check_allowed(session, row)
        tenant = await grants.tenant_of(session, self._vault, org, row)
        turn = _Turn(
            owner=new_id(),
            seen=seen,
            provider=row.provider,
            tokens=await grants.open_tokens(session, self._vault, org, row),
            tenant=tenant,
            opening=await self._endpoints.of(session, org, row.provider, tenant=tenant),
            after_a_crash=row.attempt_at is not None,
        )
        row.lease_owner, row.lease_until, row.attempt_at = turn.owner, now + self._lease, now
        if turn.after_a_crash:
            row.status, row.problem = "refresh_unknown", "refresh_unknown"
        row.decision_id = decision
        return turn

    async def _ask(self, turn: _Turn) -> TokenSet:
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                endpoint = await turn.opening()
                return grants.carried(turn.tokens, await endpoint.refresh(turn.tokens))
        except TimeoutError:
            raise ProviderBusy(grants.title_of(turn.provider), reason="no_answer_in_time") from None

    async def _store(self, org: OrgId, grant: UUID, turn: _Turn, fresh: TokenSet, decision: DecisionId) -> None:
        """Keep the answer, if the grant still lives. Otherwise the fresh tokens are ended at the provider, not kept."""
        try:
            async with self._database.write(org) as session:
                row = await _locked(session, org, grant)
                if row.generation != turn.seen or row.lease_owner != turn.owner:
                    return  # overtaken, which a lease of three deadlines does not let happen
                await grants.seal_tokens(session, self._vault, org, row, fresh, now=self._clock.now())
                if fresh.scopes is not None:
                    known = {} if (of := grants.provider_of(row.provider)) is None else of.scopes
                    row.granted = list(grants.granted_now(known, tuple(row.requested), fresh))
                    row.scope_source = "response"
                row.decision_id = decision
        except ConnectionRevoked:
            await self._late.end(org, grant, turn.provider, turn.opening, fresh, decision=decision, tenant=turn.tenant)
            raise

    async def _disbelieve(self, org: OrgId, grant: UUID, turn: _Turn, decision: DecisionId) -> None:
        """The provider says the grant is dead. Believed only if nobody has renewed it, and after a crash only twice."""
        if turn.after_a_crash:
            await self._pause(self._confirm_after.total_seconds())
            try:
                await self._store(org, grant, turn, await self._ask(turn), decision)
                return
            except GrantDead:
                pass
            except JouleError as problem:
                await self._release(org, grant, turn, problem, sure=False)
                raise
        async with self._database.write(org) as session:
            row = await _locked(session, org, grant)
            if row.generation != turn.seen:
                return
            row.status = "needs_reconnecting"
            row.problem = "refresh_unknown" if turn.after_a_crash else GrantDead.code
            row.lease_owner = row.lease_until = row.attempt_at = row.due_at = None
            row.decision_id = decision
        raise NeedsReconnecting(grants.title_of(turn.provider))

    async def _release(self, org: OrgId, grant: UUID, turn: _Turn, problem: JouleError, *, sure: bool) -> None:
        """Give the lease back and let the provider rest. `sure`: it has issued nothing, so nothing can be lost."""
        async with self._database.write(org) as session:
            row = await _locked(session, org, grant)
            if row.lease_owner != turn.owner:
                return
            row.lease_owner = row.lease_until = None
            if sure:
                row.attempt_at = None
            row.failures += 1
            row.problem = problem.code
            asked = getattr(problem, "retry_after", None)
            rest = timedelta(seconds=asked) if asked is not None else COOLDOWN * 2 ** min(row.failures - 1, 6)
            row.cooldown_until = self._clock.now() + min(rest, LONGEST_COOLDOWN)


async def _locked(session: WriteSession, org: OrgId, grant: UUID) -> OAuthGrantRow:
    """The grant's row, locked until the transaction ends. Raises `ConnectionRevoked` or `NeedsReconnecting`."""
    row = await session.get(OAuthGrantRow, (org, grant), with_for_update=True)
    if row is None or row.status == "revoked":
        raise ConnectionRevoked(
            "the account" if row is None else grants.title_of(row.provider), None if row is None else row.revoked_at
        )
    if row.status == "needs_reconnecting":
        raise NeedsReconnecting(grants.title_of(row.provider))
    return row
