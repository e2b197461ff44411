"""Lays a task's journal out as a timeline: one row for each call, with its decision and its place in time. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joule.web import wording
from traces.reader import TaskEvent

SCALE = 1000  # the width of a bar that lasts as long as the task

_TONES = {"allow": "ok", "ask": "ask", "deny": "no"}
_DECISIONS = {"allow": "Allowed", "ask": "Asked", "deny": "Refused"}
_TITLES = {
    "task.started": "Task started",
    "task.resumed": "Resumed from the record",
    "task.paused": "Waits for a person",
    "task.ended": "Task ended",
    "approval.given": "Approved by a person",
    "approval.declined": "Declined by a person",
}
_ACTIONS = {"llm.generate": "Ask the model"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the timeline. `x` and `width` are thousandths of the task's length; a width of 0 has no bar."""

    seq: int
    title: str
    call: str
    decision: str
    tone: str
    policies: str
    facts: str
    took: str
    x: int
    width: int
    bar_label: str


def rows(events: Sequence[TaskEvent]) -> tuple[Row, ...]:
    """The timeline of a task's rows, whose content is not looked at."""
    if not events:
        return ()
    start, length = events[0].at, max(events[-1].at - events[0].at, timedelta(milliseconds=1))
    ends = {each.call: each for each in events if each.kind in {"action.result", "action.failed"}}
    return tuple(
        _row(each, ends.get(each.call) if each.kind == "action.intent" else None, start, length)
        for each in events
        if each.kind not in {"text.delta", "action.result"} and not _is_told(each, ends)
    )


def _is_told(event: TaskEvent, ends: Mapping[str | None, TaskEvent]) -> bool:
    """A failure is told in the row of its call."""
    return event.kind == "action.failed" and ends.get(event.call) is event


def _row(event: TaskEvent, end: TaskEvent | None, start: datetime, length: timedelta) -> Row:
    attrs = event.attrs
    took = timedelta(microseconds=int(end.attrs["duration_us"])) if end and "duration_us" in end.attrs else None
    failed = end is not None and end.kind == "action.failed"
    decision = str(attrs.get("decision", ""))
    x, width = _bar(event.at - start, took, length)
    title = _title(event)
    return Row(
        seq=event.seq,
        title=f"{title}: {end.attrs.get('code')}" if failed and end is not None else title,
        call=event.call or "",
        decision="Failed" if failed else _DECISIONS.get(decision, decision),
        tone="no" if failed else _TONES.get(decision, ""),
        policies=", ".join(attrs.get("policies", ())),
        facts=_facts(attrs, end),
        took=wording.duration(took) if took is not None else "",
        x=x,
        width=width,
        bar_label=f"begins {wording.duration(event.at - start)} after the start, takes {wording.duration(took)}"
        if took
        else "",
    )


def _bar(begins: timedelta, took: timedelta | None, length: timedelta) -> tuple[int, int]:
    if took is None:
        return 0, 0
    width = max(6, min(SCALE, round(took / length * SCALE)))
    return max(0, min(SCALE - width, round(begins / length * SCALE))), width


def _title(event: TaskEvent) -> str:
    if event.kind in _TITLES:
        outcome = event.attrs.get("code") or event.attrs.get("outcome")
        return f"{_TITLES[event.kind]}: {outcome}" if event.kind == "task.ended" else _TITLES[event.kind]
    action = str(event.attrs.get("action", ""))
    if "tool" in event.attrs:
        return f"Tool {event.attrs['tool']}"
    return _ACTIONS.get(action, action)


def _facts(attrs: Mapping[str, Any], end: TaskEvent | None) -> str:
    facts = dict(attrs.get("facts") or {})
    told = [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in facts.items()]
    measured = (("input_tokens", "tokens in"), ("output_tokens", "tokens out"))
    if end is not None:
        told += [f"{end.attrs[name]} {word}" for name, word in measured if name in end.attrs]
    return ", ".join(told)
