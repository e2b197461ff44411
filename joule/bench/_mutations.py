"""Changes to a recorded task, or to what it is replayed with, that a replay must find. Pure.

Each says which classes of difference would be right; a replay that finds none of them has missed it.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from joule.agent.tools import Tool, Toolbox
from joule.governance.policy import Policy
from joule.llm.actions import Generate
from joule.replay.report import Divergence
from traces.reader import TaskEvent

Events = Sequence[TaskEvent]
D1, D2, D3, D4 = Divergence.DECISION, Divergence.ARGUMENTS, Divergence.CALLS, Divergence.REQUEST


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One change. `of` is what it belongs to: policy, arguments, prompt, tools, order, missing, extra, content."""

    name: str
    of: str
    right: frozenset[Divergence]
    events: Callable[[Events], Events] = lambda events: events
    policy: Callable[[Policy], Policy] = lambda policy: policy
    toolbox: Callable[[], Toolbox | None] = lambda: None


def mutations(events: Events) -> list[Mutation]:
    """All that make sense for a task that used tools, several of them at once, and was done."""
    tool, other = [each for each in events if each.kind == "action.intent" and (each.call or "").startswith("act/")][:2]
    action, call, beside = str(tool.attrs["action"]), str(tool.call), str(other.call)
    model = sorted({str(each.call) for each in events if (each.call or "").startswith("model/")}, key=_step)
    return [
        Mutation(name="forbidden", of="policy", right=frozenset({D1}), policy=_own(action, "")),
        Mutation(name="asked first", of="policy", right=frozenset({D1}), policy=_own(action, "unless { context.approved }")),
        Mutation(name="forbidden by a fact", of="policy", right=frozenset({D1}), policy=_own("llm.generate", 'when { context.via == "agent" }')),
        Mutation(name="recorded as asked", of="policy", right=frozenset({D1}), events=_attr(call, "decision", "ask")),
        Mutation(name="recorded as refused", of="policy", right=frozenset({D1}), events=_attr(call, "decision", "deny")),
        *(
            Mutation(name=f"another {fact}", of="policy", right=frozenset({D1}), events=_fact(call, fact, value))
            for fact, value in (("provenance", "minted"), ("integrity", "elsewhere"), ("purpose", "other"), ("effect", "spend"), ("via", "system"))
        ),
        Mutation(name="another commitment of a tool", of="arguments", right=frozenset({D2}), events=_attr(call, "binding", "0" * 64)),
        Mutation(name="another commitment of the context", of="arguments", right=frozenset({D2}), events=_attr("context/files", "binding", "0" * 64)),
        Mutation(name="another action", of="arguments", right=frozenset({D2}), events=_both(_attr(call, "action", "memory.forget_item"), _attr(call, "binding", "0" * 64))),
        Mutation(name="another argument", of="arguments", right=frozenset({D2, D3}), events=_calls(model[0], _first(_argument))),
        Mutation(name="another tool", of="arguments", right=frozenset({D2, D3}), events=_calls(model[0], _first(_tool))),
        Mutation(name="no such tool", of="arguments", right=frozenset({D2, D3, D4}), events=_calls(model[0], _first(_unknown))),
        Mutation(name="another prompt", of="prompt", right=frozenset({D4}), events=_both(_started("prompt", "0" * 64), *(_attr(each, "binding", "0" * 64) for each in model))),
        Mutation(name="another commitment of the last question", of="prompt", right=frozenset({D4}), events=_attr(model[-1], "binding", "0" * 64)),
        Mutation(name="another message", of="prompt", right=frozenset({D1, D4}), events=_content("task.started", None, "request", "do something else")),
        Mutation(name="one more tool", of="tools", right=frozenset({D4}), toolbox=_one_more),
        Mutation(name="swapped calls", of="order", right=frozenset({D2, D3}), events=_calls(model[0], _swapped)),
        Mutation(name="swapped rows", of="order", right=frozenset({D2, D3}), events=_renamed(call, beside)),
        Mutation(name="a tool call is missing", of="missing", right=frozenset({D3}), events=_without(call)),
        Mutation(name="a read of the context is missing", of="missing", right=frozenset({D3}), events=_without("context/memory")),
        Mutation(name="the last question is missing", of="missing", right=frozenset({D3}), events=_without(model[-1])),
        Mutation(name="a call that was never made", of="extra", right=frozenset({D3}), events=_added(call, "act/77/0")),
        Mutation(name="a question that was never asked", of="extra", right=frozenset({D3}), events=_added(model[0], "model/77")),
        Mutation(name="one more call asked for", of="extra", right=frozenset({D3}), events=_calls(model[0], lambda calls: [*calls, {**calls[0], "id": "more"}])),
        Mutation(name="one call fewer asked for", of="extra", right=frozenset({D3, D4}), events=_calls(model[0], lambda calls: calls[:-1])),
        Mutation(name="another result of a tool", of="content", right=frozenset({D4, D2}), events=_result(call)),
        Mutation(name="another last word", of="content", right=frozenset({Divergence.ANSWER}), events=_text(model[-1])),
        Mutation(name="another answer", of="content", right=frozenset({Divergence.ANSWER}), events=_content("task.ended", None, "answer", "x")),
        Mutation(name="another end", of="content", right=frozenset({D3}), events=_ended("failed")),
        Mutation(name="erased", of="content", right=frozenset({Divergence.ERASED}), events=lambda events: [replace(each, content={}) for each in events]),
    ]  # fmt: skip


def _step(call: str) -> int:
    return int(call.split("/")[1])


def _own(action: str, condition: str) -> Callable[[Policy], Policy]:
    text = f'@id("x") @reason("x") forbid (principal, action == Joule::Action::"{action}", resource) {condition};'
    return lambda policy: policy.restricted(text, prefix="own.v9")


def _attr(call: str, name: str, value: Any) -> Callable[[Events], Events]:
    return lambda events: [
        replace(each, attrs={**each.attrs, name: value}) if each.call == call and name in each.attrs else each
        for each in events
    ]


def _fact(call: str, name: str, value: str) -> Callable[[Events], Events]:
    def changed(attrs: Mapping[str, Any]) -> dict[str, Any]:
        now = value if attrs["facts"][name] != value else "words" if name == "provenance" else "x"
        return {**attrs, "facts": {**attrs["facts"], name: now}}

    return lambda events: [
        replace(each, attrs=changed(each.attrs)) if each.call == call and "facts" in each.attrs else each
        for each in events
    ]


def _started(name: str, value: str) -> Callable[[Events], Events]:
    return lambda events: [
        replace(each, attrs={**each.attrs, name: value}) if each.kind == "task.started" else each for each in events
    ]


def _ended(outcome: str) -> Callable[[Events], Events]:
    return lambda events: [
        replace(each, attrs={**each.attrs, "outcome": outcome}) if each.kind == "task.ended" else each
        for each in events
    ]


def _content(kind: str, call: str | None, name: str, value: Any) -> Callable[[Events], Events]:
    return lambda events: [
        replace(each, content={**each.content, name: value}) if each.kind == kind and each.call == call else each
        for each in events
    ]


def _both(*changes: Callable[[Events], Events]) -> Callable[[Events], Events]:
    def changed(events: Events) -> Events:
        for change in changes:
            events = change(events)
        return events

    return changed


def _of_result(call: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Events], Events]:
    def changed(each: TaskEvent) -> TaskEvent:
        result = copy.deepcopy(each.content["result"])
        change(result)
        return replace(each, content={**each.content, "result": result})

    return lambda events: [
        changed(each) if each.call == call and each.kind == "action.result" else each for each in events
    ]


def _calls(call: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Callable[[Events], Events]:
    def changed(result: dict[str, Any]) -> None:
        result["tool_calls"] = change(result["tool_calls"])

    return _of_result(call, changed)


def _first(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda calls: [change(calls[0]), *calls[1:]]


def _argument(call: dict[str, Any]) -> dict[str, Any]:
    return {**call, "name": "read_file", "arguments": '{"file_name":"another.txt"}'}


def _tool(call: dict[str, Any]) -> dict[str, Any]:
    return {**call, "name": "delete_file", "arguments": '{"file_name":"another.txt"}'}


def _unknown(call: dict[str, Any]) -> dict[str, Any]:
    return {**call, "name": "fly"}


def _swapped(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [calls[1], calls[0], *calls[2:]]


def _renamed(one: str, other: str) -> Callable[[Events], Events]:
    names = {one: other, other: one}
    return lambda events: [replace(each, call=names.get(each.call or "", each.call)) for each in events]


def _without(call: str) -> Callable[[Events], Events]:
    return lambda events: [each for each in events if each.call != call]


def _added(like: str, call: str) -> Callable[[Events], Events]:
    return lambda events: [
        *events[:-1],
        *(replace(each, call=call) for each in events if each.call == like),
        events[-1],
    ]


def _result(call: str) -> Callable[[Events], Events]:
    def changed(result: dict[str, Any]) -> None:
        for name, value in result.items():
            if isinstance(value, str):
                result[name] = f"{value} and more"
                return
            if isinstance(value, list):
                result[name] = value[:-1] if value else value
                return

    return _of_result(call, changed)


def _text(call: str) -> Callable[[Events], Events]:
    def changed(result: dict[str, Any]) -> None:
        result["text"] = "something else"

    return _of_result(call, changed)


def _one_more() -> Toolbox:
    tool = Tool(
        name="one_more",
        description="One more tool.",
        arguments={"type": "object", "properties": {}},
        action=lambda given, shared: Generate(messages=(), **shared),
    )
    return Toolbox(tool)
