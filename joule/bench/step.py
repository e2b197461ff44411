"""What a governed, journalled agent step costs beside LangGraph's own durable step.

The same graph, the same server, in turn: once with every call through the gate and no checkpointer, once calling the
same coroutines directly with `AsyncPostgresSaver` at `durability="sync"`. A step is one model call and one outside
effect, both of which take no time of their own.
"""

import operator
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from statistics import median
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg_pool import AsyncConnectionPool

from joule.bench._ground import BenchHandler, Ring, Think, ground, house_on, somebody
from joule.bench.report import Report
from joule.kernel.action import Action
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal

STEPS = 20
Call = Callable[[Action[Any], str], Awaitable[dict[str, Any]]]


class State(TypedDict):
    """What both sides carry along."""

    messages: Annotated[list[dict[str, Any]], operator.add]
    n: int


async def run(*, quick: bool, **_: object) -> Report:
    """Medians over rounds in turn, after a warm-up of both sides."""
    handler = BenchHandler()
    async with ground() as here, house_on(here, handler=handler) as house:
        org = OrgId(new_id())
        who = somebody(org)

        async def governed() -> float:
            task = TaskId(new_id())
            async with house.database.write(org) as session:  # a task's key is made with the task, by whoever asks
                await house.vault.keyring(session, org, f"task:{task}", create=True)
            opening = time.perf_counter()
            journal = await house.journals.open(org, task, attempt=1, retention="90d")
            opened = time.perf_counter() - opening
            gate = house.gate.over(journal)

            async def perform(action: Action[Any], call: str) -> dict[str, Any]:
                return await gate.perform(action, call=call)

            current[0] = perform
            began = time.perf_counter()
            await governed_graph.ainvoke({"messages": [], "n": 0}, {"recursion_limit": 200})
            await journal.settle()
            await journal.flush()
            return (time.perf_counter() - began + opened) / STEPS * 1e3

        async def bare(durability: str) -> float:
            thread = {"configurable": {"thread_id": str(new_id())}, "recursion_limit": 200}
            began = time.perf_counter()
            await bare_graph.ainvoke({"messages": [], "n": 0}, thread, durability=durability)
            return (time.perf_counter() - began) / STEPS * 1e3

        current: list[Call] = [_direct]

        async def through_current(action: Action[Any], call: str) -> dict[str, Any]:
            return await current[0](action, call)

        governed_graph = _graph(through_current, who, None)
        options = {"autocommit": True, "prepare_threshold": 0}
        async with AsyncConnectionPool(here.address.owner_url, min_size=2, max_size=8, kwargs=options) as pool:
            saver = AsyncPostgresSaver(pool)  # type: ignore[arg-type]
            await saver.setup()
            bare_graph = _graph(_direct, who, saver)
            for _warm_up in range(3):
                await governed()
                await bare("sync")
            rounds = 15 if quick else 60
            pairs = [(await governed(), await bare("sync")) for _ in range(rounds)]
            effects = handler.rung
    return Report(
        name="step",
        figures={
            "ratio_p50": round(median(one / other for one, other in pairs), 3),
            "governed_p50_ms": round(median(one for one, _ in pairs), 3),
            "bare_p50_ms": round(median(other for _, other in pairs), 3),
        },
        targets={"ratio_p50": {"max": 0.7}},
        notes=(
            f"{rounds} rounds of {STEPS} steps ({effects} governed effects), PostgreSQL with fsync on; beside langgraph "
            f"{version('langgraph')} with langgraph-checkpoint-postgres {version('langgraph-checkpoint-postgres')}, "
            "durability sync; the governed side decides on 100 policies, seals and chains every row"
        ),
    )


async def _direct(action: Action[Any], call: str) -> dict[str, Any]:
    if isinstance(action, Think):
        return {"tool": "ring", "id": f"c{action.step}", "text": "x" * 400}
    return {"ok": True, "text": "y" * 400}


def _graph(call: Call, who: Principal, saver: AsyncPostgresSaver | None) -> Any:
    label = Label()

    async def model(state: State) -> dict[str, Any]:
        n = state["n"]
        answer = await call(Think(principal=who, label=label, step=n, prompt="p" * 400), f"model/{n}")
        return {"messages": [answer], "n": n + 1}

    async def act(state: State) -> dict[str, Any]:
        n = state["n"] - 1
        return {"messages": [await call(Ring(principal=who, label=label, step=n), f"act/{n}/0")]}

    async def goes_on(state: State) -> str:  # a plain function would be run in a thread, on both sides
        return "model" if state["n"] < STEPS else END

    graph = StateGraph(State)
    graph.add_node("model", model)
    graph.add_node("act", act)
    graph.add_edge(START, "model")
    graph.add_edge("model", "act")
    graph.add_conditional_edges("act", goes_on)
    return graph.compile(checkpointer=saver)
