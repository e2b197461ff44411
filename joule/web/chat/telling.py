"""Tells a task from its AG-UI events: the words and cards of a turn, and what each event changes on the page.

The page of an old conversation and the live stream are told by the same code from the same events, so they cannot differ.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from ag_ui.core import (
    BaseEvent,
    CustomEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
    TextMessageContentEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)

from joule.web.chat.citations import Given
from joule.web.chat.steps import Gathering
from joule.web.chat.views import Part, Stand, Words
from joule.web.markdown import Block, LiveText, Renderer, Written


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one event changes. Everything it touches is on the page already."""

    kind: str  # part, text, gone, step, tail or changed
    key: str = ""
    part: Part | None = None
    written: tuple[Written, ...] = ()
    announce: str = ""
    signal: str = ""  # an event for the page: something else on it is out of date


@dataclass(kw_only=True)
class _Text:
    key: str
    live: LiveText
    blocks: list[Block] = field(default_factory=list)

    def view(self) -> Words:
        return Words(key=self.key, blocks=tuple(self.blocks))


class Telling:
    """One task as far as it has been told."""

    def __init__(
        self,
        *,
        task: UUID,
        project: UUID,
        thread: UUID,
        renderer: Renderer,
        reasons: Mapping[str, str],
        earlier: Iterable[UUID] = (),
    ) -> None:
        """`reasons` are the words of the policies by their ids; `earlier`: documents earlier answers were made from."""
        self._task, self._project, self._reasons, self._given = task, project, reasons, Given(earlier)
        self._renderer = renderer.checking(self._given.leads)
        self._parts: dict[str, _Text | Gathering] = {}  # by message or tool call, in the order they came
        self.stand: Stand | None = None  # None until the first run starts
        self.error: Mapping[str, Any] = {}
        self._began: int | None = None
        self._ended: int | None = None

    def parts(self) -> tuple[Part, ...]:
        """The turn's words and cards, in order."""
        return tuple(each.view() for each in self._parts.values() if not isinstance(each, _Text) or each.blocks)

    @property
    def took(self) -> timedelta | None:
        """From the first run's start to the end; None while it lasts."""
        if self._began is None or self._ended is None:
            return None
        return timedelta(milliseconds=self._ended - self._began)

    def take_all(self, events: Iterable[BaseEvent]) -> None:
        """Takes events in whose changes nobody watches."""
        for event in events:
            self.take(event)

    def take(self, event: BaseEvent) -> list[Change]:
        """Takes one event in; says what it changes."""
        match event:
            case RunStartedEvent():
                self._began = self._began if self._began is not None else event.timestamp
                return self._stands(Stand.RUNNING)
            case TextMessageStartEvent():
                key = _key(event.message_id)
                self._parts[event.message_id] = _Text(key=key, live=LiveText(renderer=self._renderer))
            case TextMessageContentEvent():
                return self._grown(event)
            case ToolCallStartEvent():
                self._parts[event.tool_call_id] = Gathering(
                    key=_key(event.tool_call_id),
                    tool=event.tool_call_name,
                    project=self._project,
                    reasons=self._reasons,
                )
            case ToolCallArgsEvent():
                self._step(event.tool_call_id).arguments = json.loads(event.delta)
            case ToolCallEndEvent():
                step = self._step(event.tool_call_id)
                return [Change(kind="part", key=step.key, part=step.view())]
            case ToolCallResultEvent():
                return self._result(event)
            case CustomEvent():
                return self._custom(event.name, event.value)
            case RunFinishedEvent():
                return self._finished(event)
            case RunErrorEvent():
                self._ended = event.timestamp
                self.error = self.error or {"code": event.code, "message": event.message}
                return self._stands(Stand.FAILED)
        return []

    def _stands(self, stand: Stand) -> list[Change]:
        self.stand = stand
        if stand.is_over:
            changes = []
            for each in self._parts.values():
                if isinstance(each, Gathering) and not each.outcome and not each.cut_off:
                    each.cut_off, each.approval = True, None
                    changes.append(Change(kind="step", key=each.key, part=each.view()))
            return [*changes, Change(kind="tail", announce=_ANNOUNCED[stand])]
        return [Change(kind="tail", announce=_ANNOUNCED.get(stand, ""))]

    def _grown(self, event: TextMessageContentEvent) -> list[Change]:
        text = self._parts[event.message_id]
        assert isinstance(text, _Text)  # noqa: S101 - only a message has content
        is_first = not text.blocks
        written = text.live.grow(event.delta)
        for each in written:
            text.blocks[each.index :] = [each.block]
        if not text.blocks:
            return []
        if is_first:
            return [Change(kind="part", key=text.key, part=text.view())]
        return [Change(kind="text", key=text.key, written=tuple(written))]

    def _result(self, event: ToolCallResultEvent) -> list[Change]:
        step = self._step(event.tool_call_id)
        about = (event.metadata or {}).get("joule") or {}
        step.ended(json.loads(str(event.content)) if event.content else None, about)
        self._given.take(step.action, step.result)
        return [Change(kind="step", key=step.key, part=step.view())]

    def _custom(self, name: str, value: Mapping[str, Any]) -> list[Change]:
        match name:
            case "joule.retracted":
                text = self._parts.pop(value["messageId"], None)
                return [Change(kind="gone", key=text.key)] if isinstance(text, _Text) and text.blocks else []
            case "joule.decision":
                step = self._parts.get(f"{self._task}/{value.get('call')}")
                if isinstance(step, Gathering):
                    step.decided(value)
                    return [Change(kind="step", key=step.key, part=step.view())]
            case "joule.output":
                step = self._parts.get(f"{self._task}/{value.get('call')}")
                if isinstance(step, Gathering) and step.says(str(value.get("text", ""))):
                    return [Change(kind="step", key=step.key, part=step.view())]
            case "joule.approval":
                step = self._parts.get(f"{self._task}/{value.get('call')}")
                if isinstance(step, Gathering):
                    step.answered(approved=bool(value.get("approved")))
                    return [Change(kind="step", key=step.key, part=step.view())]
            case "joule.failed":
                self.error = value.get("error") or {}
            case "joule.file":
                return [Change(kind="changed", signal="files-changed")]
            case "joule.memory":
                return [Change(kind="changed", signal="memory-changed")]
        return []

    def _finished(self, event: RunFinishedEvent) -> list[Change]:
        stand = _STANDS.get(event.outcome.type if event.outcome else "success", Stand.DONE)
        if stand.is_over:
            self._ended = event.timestamp
        return self._stands(stand)

    def _step(self, call: str) -> Gathering:
        step = self._parts[call]
        assert isinstance(step, Gathering)  # noqa: S101 - only a tool call has arguments
        return step


_STANDS = {"success": Stand.DONE, "interrupt": Stand.WAITING, "cancelled": Stand.STOPPED}
_ANNOUNCED = {
    Stand.RUNNING: "",
    Stand.WAITING: "Joule waits for your answer.",
    Stand.DONE: "The answer is finished.",
    Stand.FAILED: "The task ended with an error.",
    Stand.STOPPED: "The answer was stopped.",
}


def _key(identifier: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in identifier)
