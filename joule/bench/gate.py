"""The latency of a governed call at 200 calls a second, durable journal included, and of a decision alone."""

import asyncio
import time
from statistics import quantiles

from joule.bench._ground import POLICIES, BenchHandler, Ring, Think, ground, house_on, somebody
from joule.bench.report import Report
from joule.governance.facts import facts_of
from joule.governance.flow import Provenance
from joule.governance.policy import Policy
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.label import Label
from memory.actions import ListFiles, ReadFile, Recall, Remember

RATE = 200  # calls a second, whether or not earlier ones have ended
TASKS = 50
TARGETS = {
    "p99_ms": {"max": 10.0},
    "achieved_per_s": {"min": 195.0},
    "decision_p50_ms": {"max": 0.1},
}


async def run(*, quick: bool, **_: object) -> Report:
    """Calls start on the clock (open loop), over 50 tasks in turn; each waits for its INTENT to be durable."""
    calls = 1_000 if quick else 12_000
    async with ground() as here, house_on(here, handler=BenchHandler()) as house:
        org = OrgId(new_id())
        who, label = somebody(org), Label()
        journals = [
            await house.journals.open(org, TaskId(new_id()), attempt=1, retention="90d") for _task in range(TASKS)
        ]
        gates = [house.gate.over(journal) for journal in journals]
        took: list[float] = []

        async def call(n: int) -> None:
            began = time.perf_counter()
            await gates[n % TASKS].perform(Ring(principal=who, label=label, step=n), call=f"act/{n}/0")
            took.append((time.perf_counter() - began) * 1e3)

        for n in range(200):  # warm-up
            await call(n)
        took.clear()
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for n in range(calls):
                await asyncio.sleep(max(0.0, start + n / RATE - time.perf_counter()))
                group.create_task(call(1_000_000 + n))
        rate = calls / (time.perf_counter() - start)
        for journal in journals:
            await journal.settle()
            await journal.flush()
    percent = quantiles(took, n=100)
    decisions = quantiles(_decisions(2_000 if quick else 20_000), n=100)
    return Report(
        name="gate",
        figures={
            "p50_ms": round(percent[49], 3),
            "p99_ms": round(percent[98], 3),
            "achieved_per_s": round(rate, 1),
            "decision_p50_ms": round(decisions[49], 4),
            "decision_p99_ms": round(decisions[98], 4),
        },
        targets=TARGETS,
        notes=f"{calls} outside effects over {TASKS} tasks, open loop, fsync on; decisions among 100 policies",
    )


def _decisions(count: int) -> list[float]:
    policy = Policy(POLICIES, actions=[Think, Ring, ListFiles, ReadFile, Recall, Remember])
    org = OrgId(new_id())
    action = Ring(principal=somebody(org), step=0)
    facts = facts_of(action, provenance=Provenance.WORDS, approved=False, boundary="none")
    took = []
    for _decision in range(count):
        who = str(new_id())  # nobody asked before: what is timed is a decision, not the memory of one
        began = time.perf_counter()
        policy.decide(action.name, principal=who, resource=("Organisation", str(org)), facts=facts)
        took.append((time.perf_counter() - began) * 1e3)
    return took
