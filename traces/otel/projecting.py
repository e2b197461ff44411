"""Spans of a task, from the heads of its rows alone. Pure: the same rows give the same spans with the same ids.

A span is made when the row that ends it is there, so each is made once by whoever goes through the rows in order, and
made anew with the same id by whoever goes through them again.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from joule.kernel.errors import OutcomeUnknown
from joule.kernel.ids import TaskId
from traces.otel import names
from traces.reader import TaskEvent

_ENDS = {"action.result": "done", "action.failed": "failed", "action.refused": "denied"}
_AGENT = "joule"


class SpanKind(StrEnum):
    """On which side of a call the span is."""

    INTERNAL = "internal"
    CLIENT = "client"


@dataclass(frozen=True, kw_only=True)
class Span:
    """One span. Ids are lower-case hexadecimal, 32 and 16 digits; `parent` is empty for a root."""

    name: str
    kind: SpanKind = SpanKind.INTERNAL
    trace: str
    id: str
    parent: str = ""
    start: datetime
    end: datetime
    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)
    failed: bool = False


def trace_id(task: TaskId) -> str:
    """The trace of a task: the first half of SHA-256 over its id."""
    return hashlib.sha256(f"joule|{task}".encode()).hexdigest()[:32]


def span_id(task: TaskId, part: str) -> str:
    """The id of a part of a task: the first quarter of SHA-256 over both."""
    return hashlib.sha256(f"joule|{task}|{part}".encode()).hexdigest()[:16]


def spans_of(events: Sequence[TaskEvent], task: TaskId, *, mark: str, after: int = -1) -> tuple[Span, ...]:
    """The spans that end in rows after `after`. `events` are all rows of the task so far; their content is not looked at.

    `mark` stands for the organisation outside: a keyed hash.
    """
    return tuple(_Projection(events, task, mark).spans(after))


class _Projection:
    def __init__(self, events: Sequence[TaskEvent], task: TaskId, mark: str) -> None:
        self._events, self._task = events, task
        self._started = next((each for each in events if each.kind == "task.started"), None)
        self._is_chat = self._started is not None and self._started.attrs.get("task_kind") == "chat"
        self._common = {"joule.task.id": str(task), "joule.org.mark": mark}
        self._usage: dict[str, int] = {}

    def spans(self, after: int) -> Iterator[Span]:
        intents: dict[str | None, TaskEvent] = {}
        asked: dict[str | None, TaskEvent] = {}
        for event in self._events:
            if event.kind == "action.intent":
                intents[event.call] = event
            elif event.kind == "approval.asked":
                asked[event.call] = event
            elif event.kind in _ENDS:
                self._count(event)
                if event.seq > after:
                    yield from self._call(intents.pop(event.call, event), event)
            elif event.kind in {"approval.given", "approval.declined"}:
                if event.seq > after and event.call in asked:
                    yield self._approval(asked[event.call], event)
            elif event.kind == "task.ended" and event.seq > after and self._is_chat:
                yield from self._task_spans(event)

    def _count(self, event: TaskEvent) -> None:
        for name in ("input_tokens", "output_tokens", "spend_micros"):
            self._usage[name] = self._usage.get(name, 0) + int(event.attrs.get(name, 0))

    def _call(self, begin: TaskEvent, end: TaskEvent) -> Iterator[Span]:
        action, tool = str(begin.attrs.get("action", "")), begin.attrs.get("tool")
        outcome = _ENDS[end.kind]
        told = self._told(begin, end, outcome)
        operation = names.OPERATIONS.get(action, "")
        parent = self._part("agent") if self._is_chat else ""
        if tool is not None:
            attributes = {
                names.OPERATION: "execute_tool",
                names.TOOL: str(tool),
                names.TOOL_TYPE: "function",
                names.TOOL_CALL: str(begin.call),
            }
            outer = self._part(f"tool/{begin.seq}")
            yield self._span(f"execute_tool {tool}", outer, parent, begin, end, {**told, **attributes})
            parent = outer
        if "decision" in begin.attrs:
            yield self._policy(begin, parent)
        if tool is None or operation:
            yield self._operation(operation, action, parent, begin, end, told)

    def _operation(
        self, operation: str, action: str, parent: str, begin: TaskEvent, end: TaskEvent, told: dict[str, Any]
    ) -> Span:
        name, kind = operation or f"joule.action {action}", SpanKind.INTERNAL
        if operation and not operation.startswith("joule."):
            told = {**told, names.OPERATION: operation}
        if operation in {"chat", "embeddings"}:
            kind, name = SpanKind.CLIENT, f"{operation} {told.get(names.MODEL, '')}".strip()
        return self._span(name, self._part(f"call/{begin.seq}"), parent, begin, end, told, kind=kind)

    def _told(self, begin: TaskEvent, end: TaskEvent, outcome: str) -> dict[str, Any]:
        attrs = {**begin.attrs, **end.attrs}
        said = {
            "joule.action": attrs.get("action"),
            "joule.call": begin.call,
            "joule.effect": attrs.get("effect"),
            "joule.outcome": "unknown" if attrs.get("code") == OutcomeUnknown.code else outcome,
            names.ERROR: attrs.get("code") or ("denied" if outcome == "denied" else None),
            names.PROVIDER: attrs.get("provider"),
            names.MODEL: attrs.get("model"),
            names.INPUT_TOKENS: attrs.get("input_tokens"),
            names.OUTPUT_TOKENS: attrs.get("output_tokens"),
            "joule.cost.micros": attrs.get("spend_micros"),
            "joule.sandbox.boundary": attrs.get("boundary"),
            "joule.sandbox.exit_code": attrs.get("exit_code"),
            "joule.sandbox.killed_by": attrs.get("killed_by"),
            "joule.replay.verdict": attrs.get("outcome") if attrs.get("action") == "replay.replay_task" else None,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _policy(self, event: TaskEvent, parent: str) -> Span:
        rules = [str(each) for each in event.attrs.get("policies", ())]
        attributes = {
            "joule.policy.decision": str(event.attrs["decision"]),
            "joule.policy.bundle": str(event.attrs.get("bundle", ""))[:32],
            "joule.policy.rules": ", ".join(rules)[:512],
        }
        part = self._part(f"policy/{event.seq}")
        return self._span("joule.policy.evaluate", part, parent, event, event, attributes)

    def _approval(self, asked: TaskEvent, answered: TaskEvent) -> Span:
        attributes = {
            "joule.approval.id": str(asked.attrs.get("approval_id", "")),
            "joule.approval.wait_ms": max(0, int((answered.at - asked.at).total_seconds() * 1000)),
            "joule.outcome": answered.kind.partition(".")[2],
        }
        part = self._part(f"approval/{asked.seq}")
        return self._span("joule.approval", part, self._part("agent"), asked, answered, attributes)

    def _task_spans(self, ended: TaskEvent) -> Iterator[Span]:
        started = self._started or ended
        outcome = {"joule.outcome": str(ended.attrs.get("outcome", ""))}
        if "code" in ended.attrs:
            outcome[names.ERROR] = str(ended.attrs["code"])
        version = {names.AGENT_VERSION: str(started.attrs.get("code_version", ""))}
        thread = {names.CONVERSATION: str(started.attrs.get("thread", ""))}
        usage = {
            names.INPUT_TOKENS: self._usage.get("input_tokens", 0),
            names.OUTPUT_TOKENS: self._usage.get("output_tokens", 0),
            "joule.cost.micros": self._usage.get("spend_micros", 0),
        }
        root, agent = self._part("task"), self._part("agent")
        yield self._span(
            f"invoke_agent {_AGENT}",
            agent,
            root,
            started,
            ended,
            {names.OPERATION: "invoke_agent", names.AGENT: _AGENT, **version, **thread, **usage, **outcome},
        )
        flow = {names.OPERATION: "invoke_workflow", names.WORKFLOW: "chat"}
        attempt = {"joule.attempt": int(started.attrs.get("attempt", 1))}
        code = {"joule.code.version": version[names.AGENT_VERSION]}
        yield self._span(
            "invoke_workflow chat", root, "", started, ended, {**flow, **thread, **attempt, **code, **outcome}
        )

    def _part(self, part: str) -> str:
        return span_id(self._task, part)

    def _span(
        self,
        name: str,
        part: str,
        parent: str,
        begin: TaskEvent,
        end: TaskEvent,
        attributes: Mapping[str, Any],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        return Span(
            name=name,
            kind=kind,
            trace=trace_id(self._task),
            id=part,
            parent=parent,
            start=begin.at,
            end=max(begin.at, end.at),
            attributes={**self._common, **attributes},
            failed=names.ERROR in attributes,
        )
