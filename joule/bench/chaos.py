"""Kills workers in the middle of their work, again and again, and counts what the journal does not account for.

Tasks ring outside, write files and remember. A worker is killed with SIGKILL at random moments and another started.
At the end: every effect must have a row that allowed it, none may have happened twice, every outside effect that was
begun and not seen to end must be flagged, and no task may hang.
"""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import text

from joule.assembly import House, open_house
from joule.bench._chaos_worker import POLICY, TURNS, ChaosModel, RingHandler
from joule.bench._ground import Ground, ground
from joule.bench.report import Report
from joule.identity.actions import FoundOrganisation
from joule.kernel.ids import OrgId, ProjectId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import TaskSettings
from joule.tasks.actions import StartTask
from memory.actions import CreateProject
from traces import reader

ENDED = ("done", "failed", "stopped")
AT_WORK = 6  # tasks under way at any time
TARGETS = {name: {"max": 0.0} for name in ("untraced", "doubled", "unknown_unflagged", "stuck")}


async def run(*, quick: bool, kills: int | None = None, seed: int | None = None, **_: object) -> Report:
    """`kills` workers die (20 quick, else 200); `seed` repeats the same moments as far as a computer repeats itself."""
    kills = kills if kills is not None else (20 if quick else 200)
    chance = random.Random(seed)
    settings = TaskSettings(stalled_seconds=5, per_organisation=AT_WORK, per_worker=AT_WORK)
    async with ground(task=settings) as here:
        handler = RingHandler(here.home / "rung.txt")
        async with open_house(here.settings, model=ChaosModel(), more=[handler], more_policy=POLICY) as house:
            owner, project = await _somebody(house)
            tasks: list[TaskId] = []
            began = time.perf_counter()
            for _kill in range(kills):
                worker = await _worker(here)
                await _keep_busy(house, owner, project, tasks)
                await asyncio.sleep(chance.uniform(1.2, 4.0))
                worker.kill()
                await worker.wait()
            last = await _worker(here)
            stuck = await _wait(house, owner.org, tasks, seconds=180)
            last.terminate()
            await last.wait()
            figures = await _count(house, here, owner.org, tasks)
            took = time.perf_counter() - began
    return Report(
        name="chaos",
        figures={"kills": kills, **figures, "stuck": stuck},
        targets=TARGETS,
        notes=f"{len(tasks)} tasks of {TURNS} turns with three effects each, {took:.0f} s; one worker at a time, SIGKILL",
    )


async def _worker(here: Ground) -> asyncio.subprocess.Process:
    settings = here.settings
    environment = {
        **os.environ,
        "JOULE_HOME": str(settings.home),
        "JOULE_ENVIRONMENT": settings.environment,
        "JOULE_DATABASE_URL": here.address.app_url,
        "JOULE_TASK_STALLED_SECONDS": str(settings.task.stalled_seconds),
        "JOULE_TASK_PER_ORGANISATION": str(settings.task.per_organisation),
        "JOULE_TASK_PER_WORKER": str(settings.task.per_worker),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "joule.bench._chaos_worker", str(here.home), env=environment
    )


async def _somebody(house: House) -> tuple[Principal, ProjectId]:
    org = OrgId(new_id())
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    made = await house.commands.perform(
        FoundOrganisation(
            principal=system, organisation_name="Chaos", owner_name="Owner", owner_email="owner@chaos.invalid"
        )
    )
    owner = Principal(org=org, person=made.person, role=Role.OWNER, via=Via.PERSON)
    return owner, (await house.commands.perform(CreateProject(principal=owner, title="Chaos"))).project


async def _keep_busy(house: House, owner: Principal, project: ProjectId, tasks: list[TaskId]) -> None:
    words = "ring, write chaos.md, remember " + ", ".join(f"line {turn}" for turn in range(TURNS))
    for _missing in range(AT_WORK - await _open(house, owner.org, tasks)):
        started = await house.commands.perform(StartTask(principal=owner, project=project, text=words))
        tasks.append(started.task)


async def _open(house: House, org: OrgId, tasks: list[TaskId]) -> int:
    if not tasks:
        return 0
    async with house.database.read(org) as session:
        states = await session.scalars(text("SELECT state FROM task WHERE org_id = :org"), {"org": org})
        return sum(state not in ENDED for state in states)


async def _wait(house: House, org: OrgId, tasks: list[TaskId], *, seconds: float) -> int:
    """How many tasks have not ended after `seconds`."""
    until = time.perf_counter() + seconds
    left = await _open(house, org, tasks)
    while left and time.perf_counter() < until:
        await asyncio.sleep(0.5)
        left = await _open(house, org, tasks)
    return left


async def _count(house: House, here: Ground, org: OrgId, tasks: list[TaskId]) -> dict[str, float]:
    """What the journal, the file outside and the database say of each other."""
    lines = await asyncio.to_thread(_lines, here.home / "rung.txt")
    outside = Counter((task, turn) for task, _, turn in lines)
    intents: set[str] = set()
    flagged = begun = 0
    unflagged = 0
    async with house.database.read(org) as session:
        for task in tasks:
            ends: dict[str, str] = {}
            rings: set[str] = set()
            for event in await reader.events(session, None, org, task):
                if event.kind == "action.intent":
                    intents.add(event.attrs["decision_id"])
                    if event.attrs["action"] == "chaos.ring" and event.call is not None:
                        rings.add(event.call)
                elif event.kind in {"action.result", "action.failed"} and event.call is not None:
                    ends[event.call] = event.attrs.get("code", "done")
            begun += len(rings)
            flagged += sum(ends.get(call) == "gate.outcome_unknown" for call in rings)
            unflagged += sum(call not in ends for call in rings)
        rows = await _effect_rows(session)
        await _verify(session, org, tasks)
    internal = Counter(decision for decision, _ in rows)
    return {
        "effects": len(lines) + len(rows),
        "outside_begun": begun,
        "unknown_flagged": flagged,
        "untraced": sum(decision not in intents for _, decision, _ in lines) + sum(d not in intents for d in internal),
        "doubled": sum(count - 1 for count in outside.values()) + sum(count - 1 for count in internal.values()),
        "unknown_unflagged": unflagged,
    }


async def _effect_rows(session: Any) -> list[tuple[str, str]]:
    found = await session.execute(
        text(
            "SELECT v.decision_id::text, 'file' FROM file_version v WHERE v.via = 'agent' "
            "UNION ALL SELECT i.decision_id::text, 'item' FROM memory_item i WHERE i.via = 'agent'"
        )
    )
    return [(row[0], row[1]) for row in found]


async def _verify(session: Any, org: OrgId, tasks: list[TaskId]) -> None:
    for task in tasks:
        await reader.verify_task(session, org, task)


def _lines(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []
