"""The agent's work on one task, whoever answers its wishes: the gate in a run, the record in a replay."""

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from joule.agent import graph
from joule.agent.connected import connected, told, tools_of
from joule.agent.context import opening
from joule.agent.graph import Run, State
from joule.agent.limits import Limits
from joule.agent.sandboxed import tools_of as sandbox_tools
from joule.agent.served import served
from joule.agent.served import tools_of as served_tools
from joule.agent.task import Exchange
from joule.agent.tools import Bench, Performs, Toolbox
from joule.kernel.ids import ProjectId, TaskId
from joule.kernel.label import Label
from joule.kernel.principal import Principal
from joule.kernel.settings import TaskSettings


@cache
def label_codec() -> TypeAdapter[Label]:
    """Reads and writes labels as JSON data."""
    return TypeAdapter(Label)


def bench_of(gate: Performs, *, principal: Principal, project: ProjectId, started: Mapping[str, Any]) -> Bench:
    """What the task works at, having read nothing but its request. `started` is the content of the task's first row."""
    label = label_codec().validate_python(started["label"], strict=False)
    return Bench(gate=gate, principal=principal, project=project, label=label, loop=asyncio.get_running_loop())


async def work(bench: Bench, *, started: Mapping[str, Any], settings: TaskSettings, toolbox: Toolbox) -> str:
    """Work until the model asks for nothing more; its last words."""
    accounts = await connected(bench) if started.get("connections") else None
    servers = await served(bench) if started.get("mcp") else None
    offered = toolbox.joined(*sandbox_tools(started.get("sandbox")), *tools_of(accounts), *served_tools(servers))
    run = Run(bench=bench, tools=offered.stubs(bench), specs=offered.specs, limits=Limits(settings))
    messages = await opening(bench, request=started["request"], history=_history(started), accounts=told(accounts))
    state: State = {"messages": messages, "step": 0, "last": None}
    final = await graph.compiled().ainvoke(state, context=run, config={"recursion_limit": 2 * settings.max_steps + 5})
    last = final["last"]
    return "" if last is None else str(last.text)


def words_of(started: Mapping[str, Any]) -> str:
    """All that the person wrote in this conversation: what an argument must stand in to count as theirs."""
    return "\n".join([*(each.request for each in _history(started)), started["request"]])


def _history(started: Mapping[str, Any]) -> list[Exchange]:
    return [
        Exchange(
            task=TaskId(UUID(each["task"])),
            request=each["request"],
            answer=each["answer"],
            label=label_codec().validate_python(each["label"], strict=False) if "label" in each else Label(),
        )
        for each in started["history"]
    ]
