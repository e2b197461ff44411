"""Lays a task's journal out as a timeline: one step for each call, with its decision and its place in time. Pure.

Steps stand in the order in which they began; what a call led to stands one deeper than the call: tools under the model's
turn that asked for them, answers of people under the call they were about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from joule.llm.queries import Call as ModelCall
from joule.web import wording
from joule.web.chat.views import Fact
from traces.reader import TaskEvent

SCALE = 1000  # the width of a bar that lasts as long as the task

_TONES = {"allow": "ok", "ask": "ask", "deny": "no"}
_DECISIONS = {"allow": "Allowed", "ask": "Asked", "deny": "Refused"}
_OF_THE_TASK = {
    "task.started": ("spark", "Task started"),
    "task.resumed": ("retry", "Resumed from the record"),
    "task.paused": ("clock", "Waits for a person"),
    "task.ended": ("check", "Task ended"),
}
_OF_PEOPLE = {
    "approval.given": ("check", "Approved by a person"),
    "approval.declined": ("cross", "Declined by a person"),
}
_ACTIONS = {
    "llm.generate": ("chat", "Ask the model"),
    "memory.list_items": ("mind", "Look at what is remembered"),
    "memory.list_files": ("folder", "Look at the files"),
    "integrations.describe_connections": ("plug", "Look at connected accounts"),
    "integrations.describe_mcp_tools": ("plug", "Look at tools of MCP servers"),
}
_ENDS = frozenset({"action.result", "action.failed", "action.refused"})
_VERSIONS = ("code_version", "graph", "prompt", "tools", "bundle")


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """A policy that decided, in its own words."""

    id: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A span of time. `x` and `width` are thousandths of the task's length."""

    x: int
    width: int
    label: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of the timeline. `events` are the rows of the record it stands for."""

    seq: int
    also: tuple[int, ...]  # the other rows it stands for: links to them lead here
    depth: int
    icon: str
    title: str
    call: str
    action: str
    decision: str
    tone: str
    began: str
    took: str
    bar: Bar | None
    tokens: str
    cost: str
    code: str
    policies: tuple[Ruling, ...]
    facts: tuple[Fact, ...]
    events: tuple[TaskEvent, ...] = field(repr=False)


@dataclass(kw_only=True)
class _Call:
    """All rows of one call, as they come."""

    events: list[TaskEvent] = field(default_factory=list)

    def last(self, *kinds: str) -> TaskEvent | None:
        return next((each for each in reversed(self.events) if each.kind in kinds), None)


def steps(
    events: Sequence[TaskEvent], *, reasons: Mapping[str, str] | None = None, models: Iterable[ModelCall] = ()
) -> tuple[Step, ...]:
    """The timeline of a task's rows. `reasons` are the policies' own words by their ids, `models` its model calls."""
    if not events:
        return ()
    scale = _Scale(events)
    known = {str(each.decision): each for each in models}
    calls: dict[str, _Call] = {}
    lines: list[TaskEvent | _Call] = []
    for event in events:
        if event.kind in _OF_THE_TASK or event.call is None:
            lines.append(event)
            continue
        if event.call not in calls:
            lines.append(calls.setdefault(event.call, _Call()))
        if event.kind in _OF_PEOPLE:
            lines.append(event)
        else:
            calls[event.call].events.append(event)
    made = (
        _of_call(line, scale, reasons or {}, known) if isinstance(line, _Call) else _of_event(line, scale)
        for line in lines
    )
    return tuple(made)


class _Scale:
    """Turns instants of one task into bars."""

    def __init__(self, events: Sequence[TaskEvent]) -> None:
        self.start = events[0].at
        self._length = max(events[-1].at - self.start, timedelta(milliseconds=1))

    def since(self, event: TaskEvent) -> str:
        return f"+{wording.duration(max(event.at - self.start, timedelta()))}"

    def bar(self, event: TaskEvent, took: timedelta | None) -> Bar | None:
        if took is None:
            return None
        width = max(6, min(SCALE, round(took / self._length * SCALE)))
        begins = event.at - self.start
        x = max(0, min(SCALE - width, round(begins / self._length * SCALE)))
        told = f"begins {wording.duration(begins)} after the start, takes {wording.duration(took)}"
        return Bar(x=x, width=width, label=told)


def depth_of(call: str | None) -> int:
    """How deep a call stands: what the model asked for is one deeper than the model's turn."""
    return 1 if call is not None and call.startswith("act/") else 0


def _of_call(call: _Call, scale: _Scale, reasons: Mapping[str, str], models: Mapping[str, ModelCall]) -> Step:
    began = call.last("action.intent") or call.events[0]
    decided = call.last("action.refused") or call.last("action.intent") or call.last("approval.asked") or began
    end = call.last(*_ENDS)
    failed = end is not None and end.kind == "action.failed"
    took = _took(call, end)
    decision = str(decided.attrs.get("decision", ""))
    icon, title = title_of(decided)
    model = models.get(str(began.attrs.get("decision_id")))
    return Step(
        seq=call.events[0].seq,
        also=_others(call.events[0].seq, call.events),
        depth=depth_of(began.call),
        icon=icon,
        title=title,
        call=began.call or "",
        action=str(decided.attrs.get("action", "")),
        decision="Failed" if failed else _DECISIONS.get(decision, decision),
        tone="no" if failed else _TONES.get(decision, ""),
        began=scale.since(began),
        took="" if took is None else wording.duration(took),
        bar=scale.bar(began, took),
        tokens=f"{model.input_tokens:,} in, {model.output_tokens:,} out" if model else "",
        cost=wording.spend(model.spend_micros) if model and model.spend_micros else "",
        code=str(end.attrs.get("code", "")) if end else "",
        policies=_rulings(decided, reasons),
        facts=(*_facts(decided), *_asked(model), *_measured(end)),
        events=tuple(call.events),
    )


def _of_event(event: TaskEvent, scale: _Scale) -> Step:
    icon, title = {**_OF_THE_TASK, **_OF_PEOPLE}.get(event.kind, ("list", event.kind))
    code = str(event.attrs.get("code", ""))
    outcome = str(event.attrs.get("outcome", ""))
    return Step(
        seq=event.seq,
        also=(),
        depth=depth_of(event.call) + 1 if event.kind in _OF_PEOPLE else 0,
        icon="cross" if outcome == "failed" else icon,
        title=f"{title}: {outcome}" if event.kind == "task.ended" else title,
        call=event.call or "",
        action="",
        decision="",
        tone="",
        began=scale.since(event),
        took="",
        bar=None,
        tokens="",
        cost="",
        code=code,
        policies=(),
        facts=_about(event),
        events=(event,),
    )


def title_of(event: TaskEvent) -> tuple[str, str]:
    """The icon and the words for a call."""
    action = str(event.attrs.get("action", ""))
    if "tool" in event.attrs:
        tool = str(event.attrs["tool"])
        return wording.tool(tool)[0], f"Tool {tool}"
    return _ACTIONS.get(action, ("spark", action))


def _took(call: _Call, end: TaskEvent | None) -> timedelta | None:
    if end is None:
        return None
    if "duration_us" in end.attrs:
        return timedelta(microseconds=int(end.attrs["duration_us"]))
    intent = call.last("action.intent")
    return max(end.at - intent.at, timedelta()) if intent is not None and end.kind == "action.failed" else None


def _others(first: int, events: Iterable[TaskEvent]) -> tuple[int, ...]:
    return tuple(sorted({each.seq for each in events} - {first}))


def _asked(model: ModelCall | None) -> tuple[Fact, ...]:
    """Whom a model call went to, and how soon it answered."""
    if model is None:
        return ()
    told = [("Provider", model.provider), ("Model", model.model), ("Went to", model.recipient)]
    if model.first_text_us is not None:
        told.append(("First words after", wording.duration(timedelta(microseconds=model.first_text_us))))
    if model.attempts > 1:
        told.append(("Sent", f"{model.attempts} times"))
    return tuple(Fact(name=name, value=value) for name, value in told)


def _rulings(decided: TaskEvent, reasons: Mapping[str, str]) -> tuple[Ruling, ...]:
    return tuple(Ruling(id=str(each), words=reasons.get(str(each), "")) for each in decided.attrs.get("policies") or ())


def _facts(decided: TaskEvent) -> tuple[Fact, ...]:
    told = (wording.fact(name, value) for name, value in (decided.attrs.get("facts") or {}).items())
    return tuple(Fact(name=name, value=value) for name, value in told)


def _measured(end: TaskEvent | None) -> tuple[Fact, ...]:
    known = ("boundary", "exit_code", "killed_by", "artifacts", "artifact_bytes", "refused_files", "fresh")
    if end is None:
        return ()
    return tuple(
        Fact(name=name.replace("_", " ").capitalize(), value=str(end.attrs[name]))
        for name in known
        if name in end.attrs
    )


def _about(event: TaskEvent) -> tuple[Fact, ...]:
    if event.kind == "task.started":
        return tuple(
            Fact(name=name.replace("_", " ").capitalize(), value=str(event.attrs[name])[:16])
            for name in _VERSIONS
            if name in event.attrs
        )
    names = ("attempt", "approval_id", "person")
    return tuple(
        Fact(name=name.replace("_", " ").capitalize(), value=str(event.attrs[name]))
        for name in names
        if name in event.attrs
    )
