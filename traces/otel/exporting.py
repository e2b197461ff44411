"""Exports the journal's spans, in the order in which it was sealed. At least once, and nothing waits in memory.

Signed heads come in the order of commits and each names the chains that had moved: so no row is passed over that was
committed late, whatever time it carries. The cursor is the last head whose spans have arrived, and how many chains of
the next one have. What the export itself writes into the journal is sealed like all else, but is no reason to export
again; else exporting would never end.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, OrgId, TaskId
from joule.vault.vault import Vault
from traces import reader
from traces.otel.errors import ExportFailed
from traces.otel.measuring import measures_of
from traces.otel.projecting import Span, spans_of
from traces.otel.results import Exported
from traces.otel.wire import Backend

AT_ONCE: Final = 40  # chains in one batch
QUIET: Final = ("traces.export_spans", "traces.deliver_heads")  # upkeep that tells of the journal, and is no news in it
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)

_STATE = text("SELECT cursor, part, failures, next_at, exported_at FROM trace_export WHERE org_id = :org")
_QUIET_CHAIN = (
    "EXISTS (SELECT FROM trace_event e WHERE e.org_id = s.org_id AND e.task_id = s.task_id AND e.retention = s.retention"
    " AND e.seq <= 1 AND e.action = ANY (:quiet))"
)
_HEAD = text(
    "SELECT h.number, h.retention, h.day, h.at FROM trace_head h WHERE h.org_id = :org AND h.number > :cursor"
    " AND EXISTS (SELECT FROM trace_seal s WHERE s.org_id = h.org_id AND s.retention = h.retention AND s.day = h.day"
    f"   AND s.at = h.at AND NOT {_QUIET_CHAIN}) ORDER BY h.number LIMIT 1"
)
_SEALS = text(
    "SELECT s.task_id, s.rows, coalesce((SELECT max(b.rows) FROM trace_seal b"
    "   WHERE b.org_id = s.org_id AND b.task_id = s.task_id AND b.rows < s.rows), 0) AS before,"
    f" {_QUIET_CHAIN} AS quiet FROM trace_seal s"
    " WHERE s.org_id = :org AND s.retention = :retention AND s.day = :day AND s.at = :at"
    " ORDER BY s.position OFFSET :part LIMIT :many"
)
_NEWEST_HEAD = text("SELECT max(at) FROM trace_head WHERE org_id = :org")
_DONE = text(
    "INSERT INTO trace_export (org_id, cursor, part, tried_at, exported_at, failures, decision_id)"
    " VALUES (:org, :cursor, :part, :at, :at, 0, :decision) ON CONFLICT (org_id) DO UPDATE SET cursor = EXCLUDED.cursor,"
    " part = EXCLUDED.part, tried_at = :at, exported_at = :at, next_at = NULL, failures = 0, problem = NULL,"
    " decision_id = :decision"
)
_FAILED = text(
    "INSERT INTO trace_export (org_id, cursor, part, tried_at, next_at, failures, problem, decision_id)"
    " VALUES (:org, :cursor, :part, :at, :next, 1, :problem, :decision) ON CONFLICT (org_id) DO UPDATE SET"
    " tried_at = :at, next_at = :next, failures = trace_export.failures + 1, problem = :problem, decision_id = :decision"
)


@dataclass(frozen=True, kw_only=True)
class _State:
    cursor: int = 0
    part: int = 0
    failures: int = 0
    next_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class _Chain:
    task: TaskId
    before: int  # rows that were there when it was sealed the last time
    rows: int


@dataclass(frozen=True, kw_only=True)
class _Batch:
    chains: tuple[_Chain, ...]
    cursor: int
    part: int
    at: datetime | None  # when the head was signed


class Exporting:
    """Sends the spans of organisations to one backend."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock, backend: Backend | None) -> None:
        """`backend` is None where none is configured: then nothing is ever due."""
        self._database, self._vault, self._clock, self._backend = database, vault, clock, backend

    @property
    def is_on(self) -> bool:
        """Whether there is a backend."""
        return self._backend is not None

    async def is_due(self, org: OrgId) -> bool:
        """Whether there are spans to send now."""
        if self._backend is None:
            return False
        async with self._database.read(org) as session:
            state = await _state(session, org)
            if state.next_at is not None and state.next_at > self._clock.now():
                return False
            return await _next_head(session, org, state) is not None

    async def export(self, org: OrgId, *, decision: DecisionId) -> Exported:
        """Send the next batch. Raises `ExportFailed`, having noted it; then the same batch comes again."""
        if self._backend is None:
            return Exported(tasks=0, spans=0)
        async with self._database.read(org) as session:
            state = await _state(session, org)
            batch = await _batch(session, org, state)
            ring = await self._vault.keyring(session, org)
            mark = ring.commitment("otel", org.bytes).hex()[:32]
            spans = [span for chain in batch.chains for span in await _spans(session, org, chain, mark)]
            newest = await session.scalar(_NEWEST_HEAD, {"org": org})
        now = self._clock.now()
        measures = measures_of(spans, lag=_seconds(now, batch.at), head_age=_seconds(now, newest))
        try:
            if spans:
                await asyncio.to_thread(self._backend.send, spans, measures)
        except ExportFailed:
            pause = min(_FIRST_PAUSE * 2 ** min(state.failures, 10), _LONGEST_PAUSE)
            told = {"next": now + pause, "problem": "not_taken", "cursor": state.cursor, "part": state.part}
            await self._note(org, _FAILED, told, decision)
            raise
        await self._note(org, _DONE, {"cursor": batch.cursor, "part": batch.part}, decision)
        return Exported(tasks=len(batch.chains), spans=len(spans))

    async def _note(self, org: OrgId, statement: TextClause, told: dict[str, Any], decision: DecisionId) -> None:
        async with self._database.write(org) as session:
            await session.execute(statement, {"org": org, "at": self._clock.now(), "decision": decision, **told})


async def _state(session: AsyncSession, org: OrgId) -> _State:
    row = (await session.execute(_STATE, {"org": org})).one_or_none()
    if row is None:
        return _State()
    return _State(cursor=row.cursor, part=row.part, failures=row.failures, next_at=row.next_at)


async def _next_head(session: AsyncSession, org: OrgId, state: _State) -> Any:
    """The first head that has not arrived and is news, or None."""
    given = {"org": org, "cursor": state.cursor, "quiet": list(QUIET)}
    return (await session.execute(_HEAD, given)).one_or_none()


async def _batch(session: AsyncSession, org: OrgId, state: _State) -> _Batch:
    head = await _next_head(session, org, state)
    if head is None:
        return _Batch(chains=(), cursor=state.cursor, part=state.part, at=None)
    given = {"org": org, "retention": head.retention, "day": head.day, "at": head.at, "quiet": list(QUIET)}
    found = (await session.execute(_SEALS, {**given, "part": state.part, "many": AT_ONCE + 1})).all()
    chains = tuple(
        _Chain(task=TaskId(UUID(str(row.task_id))), before=row.before, rows=row.rows)
        for row in found[:AT_ONCE]
        if not row.quiet
    )
    is_last = len(found) <= AT_ONCE
    cursor, part = (head.number, 0) if is_last else (state.cursor, state.part + AT_ONCE)
    return _Batch(chains=chains, cursor=cursor, part=part, at=head.at)


async def _spans(session: AsyncSession, org: OrgId, chain: _Chain, mark: str) -> Sequence[Span]:
    """The spans that end in the rows a seal was made for. Of a chain whose rows have gone with their time: none."""
    events = await reader.events(session, None, org, chain.task)
    until = [event for event in events if event.seq < chain.rows]
    return spans_of(until, chain.task, mark=mark, after=chain.before - 1)


def _seconds(now: datetime, then: datetime | None) -> float:
    return 0.0 if then is None else max(0.0, (now - then.astimezone(UTC)).total_seconds())
