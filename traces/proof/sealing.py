"""Seals chains: every minute, what has moved becomes leaves of its day's tree, and the tree's new head is signed.

Leaves and head are written in one transaction, so a sealing that is killed has not happened. A tree's day never goes
back, though the clock be set back: a day that a later one names as its past gets no more leaves.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId, TaskId
from traces.proof import notes
from traces.proof.merkle import Edge, leaf_hash
from traces.proof.notes import Position
from traces.proof.signing import Signer, Signing

AT_ONCE = 2_000  # leaves in one transaction

# A chain has moved when no seal says what its row says. Its last row is looked for, so that a chain whose rows have
# gone with their partition is not sealed once more.
_MOVED = (
    "SELECT c.task_id, c.retention, c.next_seq, c.head FROM trace_chain c WHERE c.org_id = :org {among}"
    " AND c.retention <> 'hold'"  # kept past its class: it was sealed in its time
    " AND NOT EXISTS (SELECT FROM trace_seal s"
    "   WHERE s.org_id = c.org_id AND s.task_id = c.task_id AND s.rows = c.next_seq)"
    " AND EXISTS (SELECT FROM trace_event l WHERE l.org_id = c.org_id AND l.task_id = c.task_id"
    "   AND l.seq = c.next_seq - 1 AND l.retention = c.retention AND l.at >= c.started_at)"
    " ORDER BY c.task_id LIMIT :many"
)
_AMONG = "AND c.task_id IN (SELECT e.task_id FROM trace_event e WHERE e.org_id = :org AND e.at >= :since)"
_MOVED_SINCE, _MOVED_EVER = text(_MOVED.format(among=_AMONG)), text(_MOVED.format(among=""))
_MOVED_ONE = text(_MOVED.format(among="AND c.task_id = :task"))

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('joule.traces.sealing:' || :org, 0))")
_LAST = text(
    "SELECT day, size, root, edge, at FROM trace_head WHERE org_id = :org AND retention = :retention"
    " ORDER BY day DESC, size DESC LIMIT 1"
)
_NUMBER = text("SELECT coalesce(max(number), 0) FROM trace_head WHERE org_id = :org")
_BEFORE = text(
    "SELECT day, size, root FROM trace_head WHERE org_id = :org AND retention = :retention AND day < :day"
    " ORDER BY day DESC, size DESC LIMIT 1"
)
_ADD_SEALS = text(
    "INSERT INTO trace_seal (org_id, retention, day, position, task_id, rows, head, at)"
    " SELECT :org, :retention, :day, :first + n - 1, task, rows, head, :at"
    " FROM unnest(CAST(:tasks AS uuid[]), CAST(:rows AS integer[]), CAST(:heads AS bytea[])) WITH ORDINALITY"
    " AS u (task, rows, head, n)"
)
_ADD_HEAD = text(
    "INSERT INTO trace_head (org_id, number, retention, day, size, root, edge, at, note)"
    " VALUES (:org, :number, :retention, :day, :size, :root, :edge, :at, :note)"
)


@dataclass(frozen=True, kw_only=True)
class _Moved:
    task: UUID
    rows: int
    head: bytes


@dataclass(frozen=True, kw_only=True)
class _Last:
    """The newest head of a class."""

    day: date
    size: int
    root: bytes
    edge: bytes
    at: datetime


class Sealing:
    """Seals the chains of an organisation."""

    def __init__(self, *, database: Database, clock: Clock, signing: Signing) -> None:
        self._database, self._clock, self._signing = database, clock, signing

    async def seal(self, org: OrgId, *, since: datetime | None = None, task: TaskId | None = None) -> int:
        """Seal what has moved; how many chains had.

        `since`: only chains with a row of that time or later are looked at, which is quick; `task`: only that one;
        without either all are. May be called by several at once: each chain is sealed once.
        """
        query, given = _MOVED_EVER, dict[str, Any](org=org)
        if since is not None:
            query, given = _MOVED_SINCE, {**given, "since": since}
        elif task is not None:
            query, given = _MOVED_ONE, {**given, "task": task}
        sealed = 0
        signer: Signer | None = None
        while True:
            async with self._database.read(org) as session:  # most of the time there is nothing, and no key is needed
                if not await self._moved(session, query, given, 1):
                    return sealed
            signer = signer or await self._signing.signer()
            async with self._database.write(org) as session:
                await session.execute(_LOCK, {"org": str(org)})
                moved = await self._moved(session, query, given, AT_ONCE)
                for retention, chains in moved.items():
                    await self._grow(session, org, retention, chains, signer)
            sealed += sum(map(len, moved.values()))

    async def _moved(
        self, session: AsyncSession, query: TextClause, given: Mapping[str, Any], many: int
    ) -> dict[str, list[_Moved]]:
        found = await session.execute(query, {**given, "many": many})
        moved: dict[str, list[_Moved]] = defaultdict(list)
        for row in found.all():
            moved[row.retention].append(_Moved(task=row.task_id, rows=row.next_seq, head=bytes(row.head)))
        return moved

    async def _grow(
        self, session: WriteSession, org: OrgId, retention: str, chains: Sequence[_Moved], signer: Signer
    ) -> None:
        """Add leaves to the class's tree of the day and sign its head."""
        last = await self._last(session, org, retention)
        now = self._clock.now().astimezone(UTC)
        if last is not None and now <= last.at:
            now = last.at + timedelta(microseconds=1)
        day = now.date() if last is None else max(now.date(), last.day)
        origin = notes.origin_of(signer.installation, org, retention, day)
        goes_on = last is not None and last.day == day
        edge = Edge(last.size, last.edge) if last is not None and goes_on else Edge()
        previous = Position(origin=origin, size=edge.size, root=edge.root())
        first = edge.size
        for each in chains:
            seal = notes.seal_of(
                org=org, task=str(each.task), retention=retention, rows=each.rows, head=each.head, at=now
            )
            edge.add(leaf_hash(seal))
        await session.execute(
            _ADD_SEALS,
            {
                "org": org,
                "retention": retention,
                "day": day,
                "first": first,
                "at": now,
                "tasks": [each.task for each in chains],
                "rows": [each.rows for each in chains],
                "heads": [each.head for each in chains],
            },
        )
        before = await self._before(session, org, retention, day, signer.installation)
        head = notes.head_text(
            Position(origin=origin, size=edge.size, root=edge.root()), at=now, previous=previous, before=before
        )
        number = int((await session.scalar(_NUMBER, {"org": org})) or 0) + 1
        await session.execute(
            _ADD_HEAD,
            {
                "org": org,
                "number": number,
                "retention": retention,
                "day": day,
                "size": edge.size,
                "root": edge.root(),
                "edge": edge.to_bytes(),
                "at": now,
                "note": signer.sign(head),
            },
        )

    async def _last(self, session: AsyncSession, org: OrgId, retention: str) -> _Last | None:
        row = (await session.execute(_LAST, {"org": org, "retention": retention})).one_or_none()
        if row is None:
            return None
        return _Last(day=row.day, size=row.size, root=bytes(row.root), edge=bytes(row.edge), at=row.at)

    async def _before(
        self, session: AsyncSession, org: OrgId, retention: str, day: date, installation: str
    ) -> Position | None:
        """The last head of the tree before that of `day`."""
        found = await session.execute(_BEFORE, {"org": org, "retention": retention, "day": day})
        row = found.one_or_none()
        if row is None:
            return None
        origin = notes.origin_of(installation, org, retention, row.day)
        return Position(origin=origin, size=row.size, root=bytes(row.root))
