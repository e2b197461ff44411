"""Fills the journal with many rows as they really look, in bounded memory: one real task, copied under other ids by COPY.

COPY goes as superuser, because row-level security refuses it to all others; what is measured afterwards runs as the
application. A copied head names the task it was copied from, so that these rows are for finding and for dropping, not for
verifying.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.conninfo import make_conninfo

from joule.kernel.ids import OrgId, TaskId, new_id
from traces.records import Record

_EVENTS = (
    "COPY {events} (org_id, task_id, seq, retention, at, kind, call, action, decision, head, hash)"
    " FROM STDIN (FORMAT BINARY)"
)
_CONTENT = "COPY {content} (org_id, task_id, seq, field, retention, at, sealed) FROM STDIN (FORMAT BINARY)"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to fill: which class and tables, with whose rows, over which days before `until`."""

    orgs: Sequence[OrgId]
    retention: str
    until: datetime
    days: int
    events: str = "trace_event"
    content: str = "trace_content"


def fill(owner_url: str, load: Load, rows: Sequence[Record], tasks: int, *, chains: bool = True) -> Sequence[TaskId]:
    """Copy the task `rows` are of `tasks` times, spread over organisations and days; some of the new ids."""
    some: list[TaskId] = []
    superuser = make_conninfo(owner_url, user="postgres")
    many = max(1, 10_000 // len(rows))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        for first in range(0, tasks, many):
            batch = [(TaskId(new_id()), n) for n in range(first, min(first + many, tasks))]
            some += [task for task, _ in batch][:: max(1, len(batch) // 4)]
            placed = [
                (load.orgs[n % len(load.orgs)], task, load.until - timedelta(days=load.days) * ((n + 1) / (tasks + 1)))
                for task, n in batch
            ]
            with connection.transaction():
                _copy(connection, load, rows, placed)
                if chains:
                    _chains(connection, load, rows, placed)
    return some


def _copy(
    connection: psycopg.Connection[tuple[object, ...]],
    load: Load,
    rows: Sequence[Record],
    placed: Sequence[tuple[OrgId, TaskId, datetime]],
) -> None:
    step = timedelta(milliseconds=2)
    with connection.cursor() as cursor:
        with cursor.copy(_EVENTS.format(events=load.events).encode()) as copy:
            copy.set_types(["uuid", "uuid", "int4", "text", "timestamptz", *["text"] * 4, "bytea", "bytea"])
            for org, task, at in placed:
                for row in rows:
                    start = (org, task, row.seq, load.retention, at + row.seq * step, row.kind.value, row.call)
                    copy.write_row((*start, "bench.ring", "allow", row.head, row.hash))
        with cursor.copy(_CONTENT.format(content=load.content).encode()) as copy:
            copy.set_types(["uuid", "uuid", "int4", "text", "text", "timestamptz", "bytea"])
            for org, task, at in placed:
                for row in rows:
                    for name, sealed in row.sealed.items():
                        copy.write_row((org, task, row.seq, name, load.retention, at + row.seq * step, sealed))


def _chains(
    connection: psycopg.Connection[tuple[object, ...]],
    load: Load,
    rows: Sequence[Record],
    placed: Sequence[tuple[OrgId, TaskId, datetime]],
) -> None:
    statement = (
        "COPY trace_chain (org_id, task_id, retention, key_subject, started_at, attempt, next_seq, head)"
        " FROM STDIN (FORMAT BINARY)"
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["uuid", "uuid", "text", "text", "timestamptz", "int4", "int4", "bytea"])
        for org, task, at in placed:
            subject = f"task:{task}@{at:%Y-%m-%d}"
            copy.write_row((org, task, load.retention, subject, at, 1, len(rows), rows[-1].hash))
