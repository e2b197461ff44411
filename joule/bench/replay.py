"""How fast a recorded task is replayed, whether a faithful replay is ever called unfaithful, and whether changes are found."""

import asyncio
import random
import time
from statistics import quantiles
from typing import Any

import psycopg

from joule.agent.tools import Performs
from joule.assembly import open_house
from joule.bench import _recorded
from joule.bench._ground import Ground, ground
from joule.bench._mutations import mutations
from joule.bench._recorded import Recorded
from joule.bench.report import Bound, Report
from joule.kernel.settings import TaskSettings
from joule.replay.playback import Playback
from joule.replay.replaying import replay
from joule.replay.report import ReplayReport, Verdict

STEPS, LONG_STEPS = 5, 21  # of three tools each: fifty rows and a few, two hundred and more
AT_ONCE = 25  # replays that answer late
LATEST = 0.01  # seconds
TARGETS: dict[str, Bound] = {
    "p95_ms": {"max": 100.0},
    "tasks_per_s": {"min": 50.0},
    "false_divergences": {"max": 0},
    "mutations_missed": {"max": 0},
    "effects": {"max": 0},
}


async def run(*, quick: bool, faithful: int = 0, **_: object) -> Report:
    """One process, one core: replays one after the other, then many whose tools answer in any order, then changed ones."""
    timed, faithful = (60, faithful or 100) if quick else (500, faithful or 1_000)
    async with (
        ground(task=TaskSettings(max_steps=100)) as here,
        open_house(here.settings, model=_recorded.Walk()) as house,
    ):
        owner, project = await _recorded.found(house)
        short = await _recorded.ran(house, owner, project, steps=STEPS)
        long = await _recorded.ran(house, owner, project, steps=LONG_STEPS)
        before = _rows(here)
        began = time.process_time()
        took, seen = await _timed(short, timed)
        busy = time.process_time() - began
        long_took, more = await _timed(long, max(20, timed // 10))
        false, others = await _faithful(short, faithful)
        missed, changed = await _mutated(short)
        reports = [*seen, *more, *others]
        effects = sum(each.effects for each in reports) + _rows(here) - before
    percent, long_percent = quantiles(took, n=20), quantiles(long_took, n=20)
    return Report(
        name="replay",
        figures={
            "events": len(short.events),
            "p50_ms": round(percent[9] * 1e3, 2),
            "p95_ms": round(percent[18] * 1e3, 2),
            "tasks_per_s": round((len(took) + 1) / busy, 1),
            "long_events": len(long.events),
            "long_p95_ms": round(long_percent[18] * 1e3, 2),
            "faithful": faithful,
            "false_divergences": false + sum(each.verdict is not Verdict.IDENTICAL for each in [*seen, *more]),
            "mutations": changed,
            "mutations_missed": len(missed),
            "effects": effects,
        },
        targets=TARGETS,
        notes=(
            f"tasks the agent ran over a real database; replayed from their opened rows, {timed} times one after the other "
            "(tasks_per_s by time of one core); "
            f"{faithful} more with every call answering after up to {LATEST * 1e3:.0f} ms at random, {AT_ONCE} at once; "
            "effects are those the reports own to and rows of any table that came or went"
            + (f"; missed: {', '.join(missed)}" if missed else "")
        ),
    )


async def _timed(task: Recorded, times: int) -> tuple[list[float], list[ReplayReport]]:
    await replay(task.events, **task.about)
    took, reports = [], []
    for _ in range(times):
        began = time.perf_counter()
        reports.append(await replay(task.events, **task.about))
        took.append(time.perf_counter() - began)
    return took, reports


async def _faithful(task: Recorded, times: int) -> tuple[int, list[ReplayReport]]:
    drawn = random.Random(20_261_122)

    class Late:
        """Answers every call after a while of its own."""

        def __init__(self, playback: Playback) -> None:
            self._playback = playback

        async def perform(self, action: Any, *, call: str, tool: str | None = None) -> Any:
            await asyncio.sleep(drawn.random() * LATEST)
            return await self._playback.perform(action, call=call, tool=tool)

    def late(playback: Playback) -> Performs:
        return Late(playback)

    reports: list[ReplayReport] = []
    while len(reports) < times:
        many = min(AT_ONCE, times - len(reports))
        reports += await asyncio.gather(*(replay(task.events, **task.about, around=late) for _ in range(many)))
    return sum(each.verdict is not Verdict.IDENTICAL for each in reports), reports


async def _mutated(task: Recorded) -> tuple[list[str], int]:
    """The names of those that were not found, and how many there were."""
    missed = []
    tried = mutations(task.events)
    for each in tried:
        about = {**task.about, "policy": each.policy(task.policy), "toolbox": each.toolbox()}
        report = await replay(each.events(task.events), **about)
        if not report.differences or report.differences[0].kind not in each.right:
            missed.append(each.name)
    return missed, len(tried)


def _rows(here: Ground) -> int:
    """Rows of all tables; what a replay leaves alone."""
    with psycopg.connect(here.address.owner_url.replace("joule_owner", "postgres"), autocommit=True) as connection:
        tables = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'r' AND n.nspname = 'public'"
        ).fetchall()
        counts = (connection.execute(f"SELECT count(*) FROM {name}").fetchone() for (name,) in tables)
        return sum(int(found[0]) for found in counts if found is not None)
