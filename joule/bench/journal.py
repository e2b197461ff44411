"""How fast rows reach the journal, one flush at a time, many at once and by COPY, and what an event costs on disk."""

import time
from statistics import quantiles

import psycopg
from psycopg.conninfo import make_conninfo

from joule.assembly import House
from joule.bench._ground import BenchHandler, Ground, Ring, Think, ground, house_on, somebody
from joule.bench.report import Report
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.label import Label
from traces import reader
from traces.journal import TaskJournal
from traces.records import Kind, Record

TEXT = "y" * 400
TARGETS = {"copy_rows_per_s": {"min": 20_000}, "bytes_per_event": {"max": 1_400}}


async def run(*, quick: bool, **_: object) -> Report:
    """Rows as a tool call makes them: facts in the head, a sealed field of 400 characters."""
    appends, batches = (300, 20) if quick else (3_000, 200)
    copied = 20_000 if quick else 200_000
    async with ground() as here, house_on(here, handler=BenchHandler()) as house:
        org = OrgId(new_id())
        journal = await house.journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
        took = []
        for n in range(appends):
            began = time.perf_counter()
            _note(journal, n)
            await journal.flush()
            took.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        for _batch in range(batches):
            for n in range(100):
                _note(journal, n)
            await journal.flush()
        batched = batches * 100 / (time.perf_counter() - began)
        async with house.database.read(org) as session:
            state = await reader.chain_of(session, org, journal.task)
            if state is None:
                raise RuntimeError("the journal was just written")
            rows = await reader.records(session, org, journal.task, state)
        before = _size(here)
        events = await _steps(house, 500 if quick else 5_000)
        size = (_size(here) - before) / events
        rate = _copy(here, org, rows[: min(len(rows), 2_000)], copied)
    percent = quantiles(took, n=100)
    return Report(
        name="journal",
        figures={
            "append_p50_ms": round(percent[49], 3),
            "append_p99_ms": round(percent[98], 3),
            "flush_of_100_rows_per_s": round(batched),
            "copy_rows_per_s": round(rate),
            "bytes_per_event": round(size),
        },
        targets=TARGETS,
        notes=(
            f"{appends} single appends, {batches} flushes of 100 rows (sealed, hashed, fenced); {copied} rows that were "
            "sealed and chained before, by COPY as superuser (row-level security refuses COPY to all others); bytes are tables and indexes over the "
            f"{events} events of an agent's steps, a model call and an outside effect each, with 400 characters both ways; a call "
            "and its result are two events, whether they stand in one row or in two"
        ),
    )


def _note(journal: TaskJournal, n: int) -> None:
    facts: dict[str, str | bool] = {"role": "member", "via": "agent", "effect": "send", "approved": False}
    journal.note(
        Kind.INTENT,
        call=f"act/{n}/0",
        attrs={"action": "bench.ring", "effect": "send", "decision": "allow", "facts": facts, "policies": ["bench.p1"]},
        content={"args": {"text": TEXT}},
    )


async def _steps(house: House, steps: int) -> int:
    """A task's steps through the gate; how many events they are."""
    org, task = OrgId(new_id()), TaskId(new_id())
    who = somebody(org)
    journal = await house.journals.open(org, task, attempt=1, retention="90d")
    gate = house.gate.over(journal)
    for n in range(steps):
        await gate.perform(Think(principal=who, label=Label(), step=n, prompt="p" * 400), call=f"model/{n}")
        await gate.perform(Ring(principal=who, label=Label(), step=n), call=f"act/{n}/0")
    await journal.settle()
    await journal.flush()
    async with house.database.read(org) as session:
        return len(await reader.events(session, None, org, task))


def _size(here: Ground) -> float:
    with psycopg.connect(here.address.owner_url, autocommit=True) as connection:
        total = connection.execute(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
            "WHERE c.relkind = 'r' AND c.relname ~ '^trace_(event|content)_'"
        ).fetchone()
    return float(total[0]) if total else 0.0


def _copy(here: Ground, org: OrgId, rows: list[Record], count: int) -> float:
    """Rows a second into both tables, in transactions of 20,000."""
    done, spent = 0, 0.0
    superuser = make_conninfo(here.address.owner_url, user="postgres")  # row-level security refuses COPY FROM
    with psycopg.connect(superuser, autocommit=True) as connection:
        while done < count:
            tasks = [new_id() for _task in range(20_000 // len(rows))]
            began = time.perf_counter()
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(
                    "COPY trace_event (org_id, task_id, seq, retention, at, kind, call, action, decision, head, hash) "
                    "FROM STDIN (FORMAT BINARY)"
                ) as copy:
                    copy.set_types(["uuid", "uuid", "int4", "text", "timestamptz", *["text"] * 4, "bytea", "bytea"])
                    for task in tasks:
                        for row in rows:
                            copy.write_row(
                                (
                                    org,
                                    task,
                                    row.seq,
                                    "90d",
                                    row.at,
                                    row.kind.value,
                                    row.call,
                                    "bench.ring",
                                    "allow",
                                    row.head,
                                    row.hash,
                                )
                            )
                with cursor.copy(
                    "COPY trace_content (org_id, task_id, seq, field, retention, at, sealed) FROM STDIN (FORMAT BINARY)"
                ) as copy:
                    copy.set_types(["uuid", "uuid", "int4", "text", "text", "timestamptz", "bytea"])
                    for task in tasks:
                        for row in rows:
                            for name, sealed in row.sealed.items():
                                copy.write_row((org, task, row.seq, name, "90d", row.at, sealed))
            spent += time.perf_counter() - began
            done += len(tasks) * len(rows)
    return done / spent
