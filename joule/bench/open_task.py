"""How long it takes to open one task of 500 events, metadata alone, among as many rows as this machine lets be loaded."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from statistics import quantiles

import psycopg

from joule.assembly import House
from joule.bench._ground import BenchHandler, Ground, ground, house_on
from joule.bench._loading import Load, fill
from joule.bench.report import Report
from joule.bench.sweep import ROWS, counted, sample
from joule.kernel.errors import Invalid
from joule.kernel.ids import OrgId, TaskId, new_id
from traces import reader
from traces.ending import partitions
from traces.records import Kind

TARGETS = {"p99_ms": {"max": 50}}
EVENTS = 500
DAYS = 60

_PLAN = (
    "EXPLAIN (FORMAT TEXT, COSTS OFF) SELECT seq, at, kind, call, head, hash FROM trace_event WHERE org_id = %s AND"
    " task_id = %s AND retention = '90d' AND at >= %s AND seq > -1 ORDER BY seq"
)


async def run(*, quick: bool, rows: int = 0, **_: object) -> Report:
    """`--rows`: how many rows to load; 5,000,000, or 50,000 when quick."""
    wanted = rows or (50_000 if quick else 5_000_000)
    opens = 50 if quick else 500
    now = datetime.now(UTC)
    orgs = [OrgId(new_id()) for _org in range(50)]
    async with ground() as here, house_on(here, handler=BenchHandler()) as house:
        async with house.database.unscoped() as session:
            for each in range(0, DAYS + 14, 7):
                await partitions.ensure(session, "90d", now=now - timedelta(days=each))
        rows_of_one = await sample(house, orgs[0])
        load = Load(orgs=orgs, retention="90d", until=now, days=DAYS)
        await asyncio.to_thread(fill, here.address.owner_url, load, rows_of_one, wanted // ROWS)
        long = [await _long(house, org) for org in orgs[:10]]
        await asyncio.to_thread(_analyzed, here)
        looked, all_partitions = await asyncio.to_thread(_plan, here, orgs[0], long[0], now)
        took = []
        for n in range(opens):
            org, task = orgs[n % 10], long[n % 10]
            began = time.perf_counter()
            async with house.database.read(org) as session:
                events = await reader.events(session, None, org, task)
            took.append((time.perf_counter() - began) * 1e3)
            if len(events) != EVENTS:
                raise Invalid(f"{len(events)} events were read", advice="Report this: it measures nothing.")
        loaded = await asyncio.to_thread(counted, here, "trace_event")
    percent = quantiles(took, n=100)
    return Report(
        name="open-task",
        figures={
            "rows_in_table": loaded,
            "p50_ms": round(percent[49], 2),
            "p99_ms": round(percent[98], 2),
            "events": EVENTS,
            "partitions": all_partitions,
            "partitions_looked_into": looked,
        },
        targets=TARGETS,
        notes=(
            f"{opens} opens of ten tasks of {EVENTS} events (heads parsed, no content), from {len(orgs)} organisations' "
            f"rows over {DAYS} days; `partitions_looked_into` is what the plan of one open names, for retention and start "
            "bound them"
        ),
    )


async def _long(house: House, org: OrgId) -> TaskId:
    journal = await house.journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    for n in range(EVENTS):
        journal.note(
            Kind.INTENT,
            call=f"act/{n}/0",
            attrs={"action": "bench.ring", "effect": "send", "decision": "allow", "policies": ["bench.p1"]},
            content={"args": {"text": "y" * 400}},
        )
    await journal.flush()
    return TaskId(journal.task)


def _analyzed(here: Ground) -> None:
    with psycopg.connect(here.address.owner_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) trace_event")
        connection.execute("VACUUM (ANALYZE) trace_chain")


def _plan(here: Ground, org: OrgId, task: TaskId, now: datetime) -> tuple[int, int]:
    """How many partitions the plan of one open names, and how many there are."""
    with psycopg.connect(here.address.app_url) as connection:
        connection.execute("SELECT set_config('joule.org', %s, false)", [str(org)])
        plan = "\n".join(str(line) for (line,) in connection.execute(_PLAN, [org, task, now - timedelta(minutes=10)]))
        found = connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'trace_event_90d'::regclass"
        ).fetchone()
    return plan.count("on trace_event_90d_"), 0 if found is None else int(found[0])
