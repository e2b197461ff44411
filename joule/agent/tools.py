"""The tools offered to the model: a name, a schema and a way to the gate.

A stub holds no implementation and no credential. However it is called (by the graph, from inside another tool, from a
custom node, straight through `_run`), all it can do is describe an action and ask the gate.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from integrations.results import Answer
from joule.agent._arguments import TOOLS, Arguments
from joule.agent._arguments import Tool as Tool
from joule.agent._knowledge_tools import KNOWLEDGE_TOOLS
from joule.agent.citing import with_places
from joule.agent.schemas import fitting
from joule.kernel.action import Action, result_codec
from joule.kernel.errors import Invalid, Refused
from joule.kernel.ids import ProjectId
from joule.kernel.label import Label
from joule.kernel.principal import Principal
from joule.llm.actions import ToolSpec, canonical_json
from memory.knowledge.budget import Candidate, selected
from memory.knowledge.results import Passages

R = TypeVar("R")
MOST_PASSAGE_CHARACTERS = 12_000  # of one search, for a model's context


class Performs(Protocol):
    """What the agent asks for everything it wants done: the gate, or the record of one in a replay."""

    async def perform(self, action: Action[R], *, call: str, tool: str | None = None) -> R:
        """The action's result. Raises what the gate raises."""
        ...


@dataclass(kw_only=True)
class Bench:
    """What the stubs of one task share: the gate, for whom and where, and the label of all that was read so far."""

    gate: Performs
    principal: Principal
    project: ProjectId
    label: Label
    loop: asyncio.AbstractEventLoop
    loose_calls: int = 0

    def next_loose_call(self) -> str:
        """A key for a call that does not come from the graph: still decided, still journalled."""
        self.loose_calls += 1
        return f"act/loose/{self.loose_calls}"


class ToolStub(BaseTool):
    """A tool as the model sees it, and as anything else that gets hold of it sees it: a question to the gate."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    args_schema: type[BaseModel] | dict[str, Any]
    action: Callable[[Any, dict[str, Any]], Action[Any]]
    _bench: Bench = PrivateAttr()

    def __init__(self, *, bench: Bench, **fields: Any) -> None:
        super().__init__(**fields)
        self._bench = bench

    async def use(self, arguments: dict[str, Any], *, call: str, label: Label | None = None) -> str:
        """Ask the gate for what `arguments` describe. The result as the model sees it; raises what the gate raises.

        `label` is that of all the model had read when it wrote the arguments.
        """
        given = self._given(arguments)
        bench = self._bench
        shared = {"principal": bench.principal, "project": bench.project, "label": label or bench.label}
        action = self.action(given, shared)
        result = await bench.gate.perform(action, call=call, tool=self.name)
        read = getattr(result, "label", None)
        if isinstance(read, Label):
            bench.label = bench.label.join(read)
        return shown(action, result)

    def _given(self, arguments: dict[str, Any]) -> Any:
        if isinstance(self.args_schema, dict):
            return fitting(self.args_schema, arguments, tool=self.name)
        try:
            return self.args_schema.model_validate(arguments)
        except ValidationError as problem:
            where = ", ".join(".".join(map(str, each["loc"])) or "arguments" for each in problem.errors())
            raise Invalid(
                f"the arguments of {self.name} do not fit: {where}", advice="Call it again as its schema says."
            ) from None

    async def _arun(self, **arguments: Any) -> str:
        return await self.use(arguments, call=self._bench.next_loose_call())

    def _run(self, **arguments: Any) -> str:
        if asyncio._get_running_loop() is self._bench.loop:
            raise Refused(self.name, reason="a tool is awaited, never called in passing")
        return asyncio.run_coroutine_threadsafe(self._arun(**arguments), self._bench.loop).result()


class Toolbox:
    """The tools there are. Those of this house by default; other rooms may add theirs."""

    def __init__(self, *more: Tool) -> None:
        """Raises `ValueError` when two tools have one name."""
        self._more, self._tools = more, (*TOOLS, *KNOWLEDGE_TOOLS, *more)
        if len({each.name for each in self._tools}) < len(self._tools):
            raise ValueError("two tools have the same name")
        self.specs = tuple(
            ToolSpec(name=each.name, description=each.description, parameters=canonical_json(_schema(each.arguments)))
            for each in self._tools
        )
        told = canonical_json([[each.name, each.description, each.parameters] for each in self.specs])
        self.digest = hashlib.sha256(told.encode()).hexdigest()

    def joined(self, *connected: Tool) -> "Toolbox":
        """With the tools of connected accounts and servers. Of two that are called the same the first is offered."""
        named = {each.name: each for each in reversed((*self._tools, *connected))}
        new = [each for each in connected if named[each.name] is each]
        return Toolbox(*self._more, *new) if new else self

    def stubs(self, bench: Bench) -> dict[str, ToolStub]:
        """The tools of one task, by name."""
        return {
            each.name: ToolStub(
                bench=bench,
                name=each.name,
                description=each.description,
                args_schema=each.arguments,
                action=each.action,
            )
            for each in self._tools
        }


def shown(action: Action[Any], result: Any) -> str:
    """A result as the model sees it: JSON text, with one word on trust in place of full labels.

    Of passages it is shown as many as there is room for; all of them are on record.
    """
    left_out = 0
    if isinstance(result, Passages):
        chosen = selected(
            [Candidate(value=each, length=len(each.text), label=each.label) for each in result.passages],
            budget=MOST_PASSAGE_CHARACTERS,
        )
        result, left_out = replace(result, passages=chosen.shown), chosen.left_out
    data = _without_labels(result_codec(type(action)).dump_python(result, mode="json"))
    if isinstance(result, Answer):
        data["data"] = _as_json(result.data)
    with_places(result, data, action.project)
    if left_out:
        data["left_out"] = left_out  # there was no room for them: ask something narrower
    label = getattr(result, "label", None)
    if isinstance(data, dict) and isinstance(label, Label):
        data["trust"] = label.integrity.value
    return json.dumps(data, ensure_ascii=False)


def _as_json(text: str) -> Any:
    """JSON within JSON as what it is; anything else as the text it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _schema(arguments: type[Arguments] | dict[str, Any]) -> dict[str, Any]:
    if isinstance(arguments, dict):
        return arguments
    schema = arguments.model_json_schema()
    for each in ("title", "description"):
        schema.pop(each, None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)
    return schema


def _without_labels(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _without_labels(value) for name, value in data.items() if name != "label"}
    if isinstance(data, list):
        return [_without_labels(each) for each in data]
    return data
