"""How long it takes to take away what is past its class: by dropping partitions, beside deleting the same rows.

Both in one run, on the same server, with the same rows: half the tasks stand in partitions of the journal, the other
half in a plain table with the journal's columns and index, as if it had none.
"""

import asyncio
import resource
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.conninfo import make_conninfo

from joule.assembly import House
from joule.bench._ground import BenchHandler, Ground, ground, house_on
from joule.bench._loading import Load, fill
from joule.bench.report import Report
from joule.kernel.ids import OrgId, TaskId, new_id
from traces import reader
from traces.ending import partitions
from traces.records import Kind, Record

TARGETS = {"seconds": {"max": 10}}
ROWS = 50  # of one task
DAYS = 10
WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"


async def run(*, quick: bool, rows: int = 0, **_: object) -> Report:
    """`--rows`: how many rows to drop; 5,000,000, or 100,000 when quick."""
    wanted = rows or (100_000 if quick else 5_000_000)
    orgs = [OrgId(new_id()) for _org in range(20)]
    now = datetime.now(UTC)
    load = Load(orgs=orgs, retention="1d", until=now - timedelta(days=3), days=DAYS)
    async with ground() as here, house_on(here, handler=BenchHandler()) as house:
        async with house.database.unscoped() as session:
            for each in range(DAYS + 4):
                await partitions.ensure(session, "1d", now=now - timedelta(days=each + 1))
        rows_of_one = await sample(house, orgs[0])
        tasks = wanted // ROWS
        await asyncio.to_thread(_plain, here)
        await asyncio.to_thread(fill, here.address.owner_url, load, rows_of_one, tasks)
        beside = replace(load, events="plain_event", content="plain_content")
        await asyncio.to_thread(fill, here.address.owner_url, beside, rows_of_one, tasks, chains=False)
        filled = await asyncio.to_thread(counted, here, "trace_event_1d")
        wal = _wal(here)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        dropped = await partitions.drop_expired(house.database, "1d")
        seconds = time.perf_counter() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        drop_wal, left = _wal(here) - wal, counted(here, "trace_event_1d")
        wal = _wal(here)
        delete_seconds, vacuum_seconds = await asyncio.to_thread(_delete, here, now)
        delete_wal = _wal(here) - wal
    return Report(
        name="sweep",
        figures={
            "rows": filled,
            "rows_left": left,
            "partitions": dropped.partitions,
            "chains": dropped.chains,
            "seconds": round(seconds, 3),
            "delete_seconds": round(delete_seconds, 3),
            "vacuum_seconds": round(vacuum_seconds, 3),
            "wal_mb": round(drop_wal / 2**20, 1),
            "delete_wal_mb": round(delete_wal / 2**20, 1),
            "peak_mb": round((before + grown) / 1024),
            "grown_mb": round(grown / 1024, 1),
        },
        targets={**TARGETS, "rows_left": {"max": 0}},
        notes=(
            f"{tasks} tasks of {ROWS} rows in each; `seconds` is the whole sweep (chains, seals, then {dropped.partitions} "
            "days of heads and of content) as the application does it; `delete_seconds` is DELETE of as many heads and "
            "contents in plain tables with the same index, as their owner, and VACUUM comes on top. `peak_mb` is this "
            "process's, the loading included; `grown_mb` is what sweeping added to it"
        ),
    )


async def sample(house: House, org: OrgId) -> list[Record]:
    """The rows of one task as a tool's calls make them."""
    journal = await house.journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    for n in range(ROWS):
        journal.note(
            Kind.INTENT,
            call=f"act/{n}/0",
            attrs={"action": "bench.ring", "effect": "send", "decision": "allow", "policies": ["bench.p1"]},
            content={"args": {"text": "y" * 400}},
        )
    await journal.flush()
    async with house.database.read(org) as session:
        state = await reader.chain_of(session, org, journal.task)
        return [] if state is None else await reader.records(session, org, journal.task, state)


def _plain(here: Ground) -> None:
    with psycopg.connect(here.address.owner_url, autocommit=True) as connection:
        for name in ("event", "content"):
            connection.execute(f"CREATE TABLE plain_{name} (LIKE trace_{name} INCLUDING INDEXES)".encode())


def counted(here: Ground, table: str) -> int:
    """How many rows there are, of all organisations."""
    with psycopg.connect(make_conninfo(here.address.owner_url, user="postgres")) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return 0 if found is None else int(found[0])


def _wal(here: Ground) -> float:
    with psycopg.connect(here.address.owner_url) as connection:
        found = connection.execute(WAL.encode()).fetchone()
    return 0.0 if found is None else float(found[0])


def _delete(here: Ground, until: datetime) -> tuple[float, float]:
    with psycopg.connect(here.address.owner_url, autocommit=True) as connection:
        began = time.perf_counter()
        for name in ("event", "content"):
            connection.execute(f"DELETE FROM plain_{name} WHERE at < %s".encode(), [until])
        deleted = time.perf_counter()
        for name in ("event", "content"):
            connection.execute(f"VACUUM plain_{name}".encode())
        return deleted - began, time.perf_counter() - deleted
