"""The journal's partitions: made ahead, counted, and dropped when their class is over.

A day without its partition cannot be written to, so that nothing happens unrecorded; days before it comes to that, this
says so. Dropping goes through doors of the database that drop what is expired by the server's clock and nothing else:
the application owns no table. What is on hold is moved out of the way first, by the same doors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database
from joule.database.errors import DatabaseBusy
from joule.kernel.ids import OrgId
from traces.ending import holds
from traces.ending.rules import CLASSES

AHEAD: Final = timedelta(days=14)
ALARM: Final = timedelta(days=7)  # with less than this ahead something is wrong
AT_ONCE: Final = 5_000  # chains forgotten in one transaction

_ENSURE = text("SELECT trace_ensure_partitions(:retention, :start, :until)")
_ENDS = text(
    "SELECT p.relname AS class, count(*) AS parts, max(substring("
    "  pg_get_expr(c.relpartbound, c.oid) from 'TO \\(''([^'']+)''')::timestamptz) AS until"
    " FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE p.relname IN (:event, :content) GROUP BY p.relname"
)
_IN_USE = text(
    "SELECT substring(c.relname from 13) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'trace_event'::regclass"
)
_KEEP = text("SELECT trace_keep_held(:retention)")
_FORGET = text("SELECT org, chains FROM trace_forget_chains(:retention, :many)")
_SEALS = text("SELECT trace_forget_seals(:retention, :before, :many)")
_HORIZON = text("SELECT trace_horizon(:retention)")
_DROP = text("SELECT trace_drop_expired(:retention)")
_RELEASE = text("SELECT trace_release_held(:org)")


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """How far ahead one class in use can be written to."""

    retention: str
    until: datetime | None  # None: it has no partition at all
    now: datetime

    @property
    def days(self) -> int:
        """Whole days."""
        return 0 if self.until is None else max(0, (self.until - self.now).days)

    @property
    def is_enough(self) -> bool:
        """Whether nobody needs to be alarmed."""
        return self.until is not None and self.until - self.now >= ALARM


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What one sweep of the partitions came to."""

    chains: int = 0
    partitions: int = 0
    held: int = 0
    seals: int = 0


async def in_use(session: AsyncSession) -> Sequence[str]:
    """The classes that were ever written to, shortest first."""
    found = set((await session.scalars(_IN_USE)).all())
    return [each for each in CLASSES if each in found]


async def ensure(session: AsyncSession, retention: str, *, now: datetime) -> int:
    """Make the partitions of a class for the time ahead. How many were missing."""
    made = await session.scalar(_ENSURE, {"retention": retention, "start": now, "until": now + AHEAD})
    return int(made or 0)


async def ensure_all(session: AsyncSession, *, default: str, now: datetime) -> int:
    """The same for the class `default` and every class in use."""
    used = [each for each in await in_use(session) if each != default]
    return sum([await ensure(session, each, now=now) for each in (default, *used)])


async def ahead(session: AsyncSession, *, now: datetime) -> Sequence[Ahead]:
    """How far ahead each class in use can be written to, as the database has it."""
    found = []
    for each in await in_use(session):
        rows = (
            await session.execute(_ENDS, {"event": f"trace_event_{each}", "content": f"trace_content_{each}"})
        ).all()
        until = min((row.until for row in rows), default=None) if len(rows) == 2 else None
        found.append(Ahead(retention=each, until=until, now=now))
    return found


async def drop_expired(database: Database, retention: str) -> Dropped:
    """Take everything of a class that is past it: chains in bounded batches, seals, then whole partitions.

    Each step is a transaction of its own and finds what an earlier one has left, so that it may be broken off anywhere. A
    partition that is being read just now is left for the next time.
    """
    kept = chains = partitions = seals = 0
    async with database.unscoped() as session:
        kept = int(await session.scalar(_KEEP, {"retention": retention}) or 0)
    touched: set[OrgId] = set()
    while True:
        async with database.unscoped() as session:
            rows = (await session.execute(_FORGET, {"retention": retention, "many": AT_ONCE})).all()
        if not rows:
            break
        chains += sum(row.chains for row in rows)
        touched |= {OrgId(row.org) for row in rows}
    for org in touched:
        seals += await forget_seals(database, org, retention)
    while await _drop_one(database, retention) is not None:
        partitions += 1
    return Dropped(chains=chains, partitions=partitions, held=kept, seals=seals)


async def forget_seals(database: Database, org: OrgId, retention: str) -> int:
    """Take the seals of an organisation that are past their class, in bounded batches; how many.

    None while anything of it is on hold: what is held is to be proven too.
    """
    async with database.read(org) as reading:
        if await holds.standing(reading, org):
            return 0
    gone = 0
    while True:
        async with database.write(org) as session:
            horizon = await session.scalar(_HORIZON, {"retention": retention})
            before = date.max if horizon is None else horizon.astimezone(UTC).date()
            done = await session.scalar(_SEALS, {"retention": retention, "before": before, "many": AT_ONCE})
        gone += int(done or 0)
        if not done or done < AT_ONCE:
            return gone


async def release(database: Database, org: OrgId) -> bool:
    """Let go of what was kept for holds of an organisation that has none any more."""
    async with database.unscoped() as session:
        return bool(await session.scalar(_RELEASE, {"org": org}))


async def _drop_one(database: Database, retention: str) -> date | None:
    try:
        async with database.unscoped() as session:
            dropped: date | None = await session.scalar(_DROP, {"retention": retention})
            return dropped
    except DatabaseBusy:  # somebody reads it
        return None
