"""Builds the single AG-UI events: which field of a journal row goes where."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ag_ui.core import (
    BaseEvent,
    CustomEvent,
    Interrupt,
    RunErrorEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)

from joule.governance.approvals import GRANT_LIFETIME, LIFETIME
from joule.kernel.errors import JouleError
from traces.reader import TaskEvent

SUCCESS = RunFinishedSuccessOutcome()

_DECIDED = ("action", "effect", "tool", "decision", "policies", "facts", "decision_id", "approval_id", "bundle")
_MEASURED = ("duration_us", "input_tokens", "output_tokens", "spend_micros", "provider")
_ANSWER = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "note": {"type": "string"}},
    "required": ["approved"],
}


def custom(name: str, value: Any) -> BaseEvent:
    """One of our own events."""
    return CustomEvent(name=name, value=value)


def decision(row: TaskEvent) -> BaseEvent:
    """What the gate decided about one call, on which facts, and why."""
    value: dict[str, Any] = {"call": row.call}
    value.update((name, row.attrs[name]) for name in _DECIDED if name in row.attrs)
    if row.content.get("why"):
        value["why"] = row.content["why"]
    if lacks(row):
        value["lacks"] = row.content.get("grant") or {}
    return custom("joule.decision", value)


def lacks(row: TaskEvent) -> bool:
    """Whether a row asks for a permission of a connected account, and not for a person's agreement."""
    return row.kind == "approval.asked" and "code" in row.attrs


def approval(row: TaskEvent) -> BaseEvent:
    """How a person answered."""
    value = {
        "call": row.call,
        "approval_id": row.attrs["approval_id"],
        "approved": row.kind == "approval.given",
    }
    return custom("joule.approval", value)


def output(row: TaskEvent, text: str) -> BaseEvent:
    """What a tool says while it works: it belongs on its card, and is no part of the answer."""
    return custom("joule.output", {"call": row.call, "text": text})


def retracted(message: str, call: str) -> BaseEvent:
    """A message that is to be taken off the page."""
    return custom("joule.retracted", {"messageId": message, "call": call})


def failure(row: TaskEvent, error: dict[str, Any]) -> BaseEvent:
    """A step other than a tool call that went wrong."""
    return custom("joule.failed", {"call": row.call, "action": row.attrs.get("action"), "error": error})


def run_error(outcome: str, code: str, error: Mapping[str, str]) -> BaseEvent:
    """The end of a run that failed or reached a limit, with what the person can do about it."""
    metadata = {"joule": {"outcome": outcome, "advice": error.get("advice", JouleError().advice())}}
    return RunErrorEvent(message=error.get("message", "the task ended with an error"), code=code, metadata=metadata)


def text_start(message: str) -> BaseEvent:
    return TextMessageStartEvent(message_id=message, role="assistant")


def text_content(message: str, text: str) -> BaseEvent:
    return TextMessageContentEvent(message_id=message, delta=text)


def text_end(message: str, metadata: dict[str, Any] | None) -> BaseEvent:
    return TextMessageEndEvent(message_id=message, metadata=metadata)


def card(tool_call: str, row: TaskEvent) -> list[BaseEvent]:
    """A tool call with its arguments."""
    name = row.attrs.get("tool") or row.attrs.get("action") or "tool"
    arguments = json.dumps(row.content.get("args") or {}, ensure_ascii=False, sort_keys=True)
    return [
        ToolCallStartEvent(
            tool_call_id=tool_call, tool_call_name=name, metadata={"joule": {"action": row.attrs.get("action")}}
        ),
        ToolCallArgsEvent(tool_call_id=tool_call, delta=arguments),
        ToolCallEndEvent(tool_call_id=tool_call),
    ]


def tool_result(tool_call: str, row: TaskEvent, content: Any) -> BaseEvent:
    """How a tool call ended; `metadata.joule.outcome` is `result`, `failed` or `refused`."""
    outcome = row.kind.removeprefix("action.")
    metadata = {"joule": {"outcome": outcome, **_measured(row)}}
    written = "" if content is None else json.dumps(content, ensure_ascii=False, sort_keys=True)
    return ToolCallResultEvent(
        message_id=f"{tool_call}/result", tool_call_id=tool_call, content=written, role="tool", metadata=metadata
    )


def measures(row: TaskEvent) -> dict[str, Any]:
    """What a model step took, as metadata of its message."""
    return {"joule": {"call": row.call, **_measured(row)}}


def _measured(row: TaskEvent) -> dict[str, Any]:
    return {name: row.attrs[name] for name in _MEASURED if name in row.attrs}


def interrupted(questions: Iterable[tuple[str | None, TaskEvent]]) -> RunFinishedInterruptOutcome:
    """The end of a run that waits for a person: one interrupt for each open question."""
    return RunFinishedInterruptOutcome(
        interrupts=[
            Interrupt(
                id=row.attrs["approval_id"],
                reason="permission" if lacks(row) else "approval",
                message=(row.content.get("why") or {}).get("reason"),
                tool_call_id=tool_call,
                response_schema=_ANSWER,
                expires_at=(row.at + (GRANT_LIFETIME if lacks(row) else LIFETIME)).isoformat(),
                metadata={"joule": {"action": row.attrs.get("action"), "policies": row.attrs.get("policies", [])}},
            )
            for tool_call, row in questions
        ]
    )
