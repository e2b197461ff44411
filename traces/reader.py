"""Reads a task's rows back, checked against their chain, with their content opened where a key is given."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, TaskId
from joule.vault.keys import Keyring
from traces import chain
from traces.pairing import parted
from traces.records import Kind, Record, Row

_CHAIN = text(
    "SELECT retention, key_subject, started_at, attempt, next_seq, head FROM trace_chain "
    "WHERE org_id = :org AND task_id = :task"
)
# Retention and the start bound the partitions that are looked into; without them a lookup visits every one.
_EVENTS = text(
    "SELECT seq, at, kind, call, head, hash FROM trace_event WHERE org_id = :org AND task_id = :task "
    "AND retention = :retention AND at >= :started AND seq > :after ORDER BY seq"
)
_CONTENT = text(
    "SELECT seq, field, sealed FROM trace_content WHERE org_id = :org AND task_id = :task "
    "AND retention = :retention AND at >= :started AND seq > :after"
)


@dataclass(frozen=True, kw_only=True)
class ChainState:
    """Where a task's chain stands."""

    retention: str
    subject: str
    started_at: datetime
    attempt: int
    next_seq: int
    head: bytes


@dataclass(frozen=True, kw_only=True)
class TaskEvent:
    """One row as pages see it. `content` is empty where it was erased or the reader has no key.

    Two that were written as one record have the same `seq`.
    """

    seq: int
    at: datetime
    kind: str
    call: str | None
    attrs: Mapping[str, Any]
    content: Mapping[str, Any]


async def chain_of(session: AsyncSession, org: OrgId, task: TaskId) -> ChainState | None:
    """Where the chain of `task` stands, or None when nothing was ever written."""
    row = (await session.execute(_CHAIN, {"org": org, "task": task})).one_or_none()
    if row is None:
        return None
    return ChainState(
        retention=row.retention,
        subject=row.key_subject,
        started_at=row.started_at,
        attempt=row.attempt,
        next_seq=row.next_seq,
        head=bytes(row.head),
    )


async def records(
    session: AsyncSession, org: OrgId, task: TaskId, state: ChainState, *, after: int = -1, sealed: bool = True
) -> list[Record]:
    """The rows of a task after `after`, in order, as they are stored; with `sealed` False without their content."""
    key = {"org": org, "task": task, "retention": state.retention, "started": state.started_at, "after": after}
    contents: dict[int, dict[str, bytes]] = {}
    rows = (await session.execute(_EVENTS, key)).all()
    if sealed and rows:
        for row in (await session.execute(_CONTENT, key)).all():
            contents.setdefault(row.seq, {})[row.field] = bytes(row.sealed)
    return [
        Record(
            seq=row.seq,
            kind=Kind(row.kind),
            at=row.at,
            call=row.call,
            head=bytes(row.head),
            hash=bytes(row.hash),
            sealed=contents.get(row.seq, {}),
        )
        for row in rows
    ]


def opened(record: Record, task: TaskId, keyring: Keyring | None) -> tuple[Row, ...]:
    """The rows a record stands for, heads parsed, content opened when there is a key for it."""
    content = {}
    if keyring is not None:
        for name, sealed in record.sealed.items():
            content[name] = json.loads(keyring.open(sealed, row=task, field=name, generation=record.seq))
    attrs = orjson.loads(record.head)["attrs"]
    return parted(Row(kind=record.kind, at=record.at, call=record.call, attrs=attrs, content=content))


async def events(
    session: AsyncSession, keyring: Keyring | None, org: OrgId, task: TaskId, *, after: int = -1
) -> list[TaskEvent]:
    """The rows of a task after `after`; metadata only when `keyring` is None. Empty for a task that has none yet."""
    state = await chain_of(session, org, task)
    if state is None:
        return []
    found = await records(session, org, task, state, after=after, sealed=keyring is not None)
    return [
        TaskEvent(seq=record.seq, at=row.at, kind=row.kind.value, call=row.call, attrs=row.attrs, content=row.content)
        for record in found
        for row in opened(record, task, keyring)
    ]


async def verify_task(session: AsyncSession, org: OrgId, task: TaskId) -> int:
    """How many rows the task has, after checking every one. Raises `ChainBroken`, or `NotFound` without a chain."""
    state = await chain_of(session, org, task)
    if state is None:
        raise NotFound("task")
    found: Sequence[Record] = await records(session, org, task, state)
    chain.verify(found, expected_head=state.head, expected_length=state.next_seq)
    return len(found)
