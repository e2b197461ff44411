"""Ends what is past the retention an organisation chose: one key for each of its days.

What is on hold is kept: all of it under a hold on the organisation; under a hold on a person or a task the keys of its
chains alone, wrapped anew, while the day's own key goes for everybody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession
from joule.kernel.ids import DecisionId, OrgId, TaskId
from joule.llm.forgetting import forget_older
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault
from traces import sealing
from traces.ending import erasing, holds, rules
from traces.ending.erasing import Cause
from traces.ending.holds import Scope
from traces.ending.rules import Rules

DAYS_AT_ONCE = 200
CALLS_AT_ONCE = 5_000

_HELD_OF_DAY = text(
    "SELECT task_id, key_subject FROM trace_chain WHERE org_id = :org"
    " AND (key_subject LIKE 'task:%@' || :day OR key_subject LIKE 'day:' || :day || '/%')"
    " AND trace_is_held(org_id, task_id, key_subject)"
)
_HELD = text(
    "SELECT task_id FROM trace_chain WHERE org_id = :org AND task_id = ANY(:tasks)"
    " AND trace_is_held(org_id, task_id, key_subject)"
)
_HELD_TASKS = text(
    "SELECT task_id FROM trace_chain WHERE org_id = :org AND started_at < :before"
    " AND trace_is_held(org_id, task_id, key_subject)"
)
_ANY_CALL = text("SELECT min(at) FROM llm_call WHERE org_id = :org")


@dataclass(frozen=True, kw_only=True)
class Expired:
    """What went: days, chains kept for a hold, model calls. `more`: there is more at once."""

    days: int = 0
    kept: int = 0
    calls: int = 0
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class Expiring:
    """Ends the days of one organisation. `default`: the class of organisations that have chosen none."""

    vault: Vault
    default: str

    async def is_due(self, session: AsyncSession, org: OrgId, now: datetime) -> bool:
        """Whether `expire` would end anything."""
        standing = await holds.standing(session, org)
        if holds.on(standing) is not None:
            return False
        chosen = await rules.rules_of(session, org, default=self.default)
        if await self._due_days(session, org, chosen, now):
            return True
        if await self._released(session, org):
            return True
        first = await session.scalar(_ANY_CALL, {"org": org})
        return first is not None and first < _kept_from(chosen, now) and not standing

    async def expire(self, session: WriteSession, org: OrgId, *, now: datetime, decision: DecisionId) -> Expired:
        """End at most `DAYS_AT_ONCE` days and `CALLS_AT_ONCE` calls. Nothing while the organisation is on hold."""
        await holds.share(session, org)
        standing = await holds.standing(session, org)
        if any(each.scope is Scope.ORGANISATION for each in standing):
            return Expired()
        chosen = await rules.rules_of(session, org, default=self.default)
        due = await self._due_days(session, org, chosen, now)
        kept = 0
        for day in due:
            kept += await self._keep_held(session, org, day) if standing else 0
            await erasing.erase(
                session, self.vault, org, day, cause=Cause.RETENTION, by=None, at=now, decision=decision
            )
        await self._let_go(session, org)
        before = _kept_from(chosen, now)
        but: list[TaskId] = []
        if standing:
            but = [TaskId(each) for each in await session.scalars(_HELD_TASKS, {"org": org, "before": before})]
        calls = await forget_older(session, org, before=before, many=CALLS_AT_ONCE, but=but)
        more = len(due) == DAYS_AT_ONCE or calls == CALLS_AT_ONCE
        return Expired(days=len(due), kept=kept, calls=calls, more=more)

    async def _due_days(self, session: AsyncSession, org: OrgId, chosen: Rules, now: datetime) -> Sequence[str]:
        today = sealing.day_of(now.date())
        days = await self.vault.living(session, org, "day:", today, many=DAYS_AT_ONCE)
        return [each for each in days if chosen.is_due(date.fromisoformat(each.removeprefix("day:")), now)]

    async def _keep_held(self, session: WriteSession, org: OrgId, day: str) -> int:
        rows = (await session.execute(_HELD_OF_DAY, {"org": org, "day": day.removeprefix("day:")})).all()
        kept = 0
        for row in rows:
            sealed, name = sealing.read(row.key_subject), sealing.held(TaskId(row.task_id))
            try:
                await self.vault.keep_bound(session, org, sealed.owner, under=sealed.day, name=name)
                kept += 1
            except (NoKey, Shredded):  # it was erased before it was put on hold
                continue
        return kept

    async def _let_go(self, session: WriteSession, org: OrgId) -> None:
        """Destroy what was kept for holds that were lifted."""
        for each in await self._released(session, org):
            await self.vault.shred(session, org, sealing.held(each))

    async def _released(self, session: AsyncSession, org: OrgId) -> Sequence[TaskId]:
        names = await self.vault.living(session, org, "held:", "held;", many=DAYS_AT_ONCE)
        tasks = [TaskId(UUID(name.removeprefix("held:"))) for name in names]
        still = set(await session.scalars(_HELD, {"org": org, "tasks": tasks})) if tasks else set()
        return [each for each in tasks if each not in still]


def _kept_from(chosen: Rules, now: datetime) -> datetime:
    """The start of the first day that is not over. Rules never get shorter with time, so days end in their order."""
    day = now.date() - timedelta(days=max(each.days for each in chosen.rules) + 1)
    while chosen.is_due(day, now):
        day += timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
