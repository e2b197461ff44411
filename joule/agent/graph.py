"""The agent's graph: a model node and an act node, in turn, until the model asks for nothing more.

Compiled once, without a checkpointer: the journal remembers. Every step is keyed by its place (step, position), never
by the order in which things happen to finish, so that a resumed task finds its own record.
"""

import asyncio
import hashlib
import json
import operator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from joule.agent.limits import Limits
from joule.agent.tools import Bench, ToolStub
from joule.database.errors import DatabaseAway
from joule.kernel.errors import (
    ApprovalNeeded,
    Fenced,
    JouleError,
    JournalDown,
    LimitReached,
    Stopped,
)
from joule.kernel.label import Label
from joule.llm.actions import Generate, Generation, Message, ToolCall, ToolSpec
from traces.errors import RecordingDiffers

_ENDS_THE_RUN = (Fenced, JournalDown, DatabaseAway, Stopped, LimitReached, RecordingDiffers)


class State(TypedDict):
    """What flows through the graph. Lives in memory only."""

    messages: Annotated[list[Message], operator.add]
    step: int
    last: Generation | None


@dataclass(kw_only=True)
class Run:
    """What the nodes of one task use."""

    bench: Bench
    tools: dict[str, ToolStub]
    specs: tuple[ToolSpec, ...]
    limits: Limits


async def _model(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    run, step = runtime.context, state["step"]
    run.limits.check(step)
    ask = Generate(
        principal=run.bench.principal,
        project=run.bench.project,
        label=run.bench.label,
        messages=tuple(state["messages"]),
        tools=run.specs,
        step=step,
    )
    answer = await run.bench.gate.perform(ask, call=f"model/{step}")
    run.limits.count(answer)
    return {"messages": [answer.as_message()], "step": step + 1, "last": answer}


async def _act(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    run, answer = runtime.context, state["last"]
    if answer is None:
        return {"messages": []}
    step, label = state["step"] - 1, run.bench.label
    outcomes = await asyncio.gather(
        *(_use(run, call, f"act/{step}/{n}", label) for n, call in enumerate(answer.tool_calls)),
        return_exceptions=True,  # none is cut off because another one failed
    )
    problems = [each for each in outcomes if isinstance(each, BaseException)]
    for problem in sorted(problems, key=lambda each: isinstance(each, ApprovalNeeded)):
        raise problem
    told = [each for each in outcomes if isinstance(each, Message)]
    told += [
        _answer(each.as_call(), json.dumps({"error": "tool.invalid_call", "message": each.reason}))
        for each in answer.invalid_calls
    ]
    return {"messages": told}


async def _use(run: Run, call: ToolCall, key: str, label: Label) -> Message:
    """One tool call. What went wrong is told to the model, unless it ends the run."""
    tool = run.tools.get(call.name)
    if tool is None:
        return _answer(call, json.dumps({"error": "tool.unknown", "message": "there is no such tool"}))
    try:
        return _answer(call, await tool.use(call.values(), call=key, label=label))
    except (*_ENDS_THE_RUN, ApprovalNeeded):
        raise
    except JouleError as problem:
        said = {"error": getattr(problem, "recorded_code", problem.code), "message": str(problem)}
        return _answer(call, json.dumps({**said, "advice": problem.advice()}, ensure_ascii=False))


def _answer(call: ToolCall, text: str) -> Message:
    return Message(role="tool", text=text, call_id=call.id, name=call.name)


async def _goes_on(state: State) -> str:  # a plain function would be run in a thread
    last = state["last"]
    return "act" if last is not None and (last.tool_calls or last.invalid_calls) else END


@cache
def compiled() -> Any:
    """The graph, ready to run. Made once in a process."""
    graph = StateGraph(State, context_schema=Run)
    graph.add_node("model", _model)
    graph.add_node("act", _act)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", _goes_on)
    graph.add_edge("act", "model")
    return graph.compile()


@cache
def digest() -> str:
    """The version of the graph's code, recorded with each task."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
