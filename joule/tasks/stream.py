"""Turns a task's journal rows into AG-UI 1.0 events.

Pure: the same rows give the same events with the same ids, however they are cut into portions. That is what makes the
stream resumable: whoever comes back is served from the first row again, less what they have. What AG-UI has no word
for (decisions, files, memories, retractions) travels as CUSTOM events called `joule.*`, and as metadata under `joule`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ag_ui.core import BaseEvent, RunFinishedCancelledOutcome, RunFinishedEvent, RunStartedEvent

from joule.kernel.ids import TaskId, ThreadId
from joule.tasks import _events as made
from joule.tasks.state import State
from traces.reader import TaskEvent

CLOSING = 1000  # first part number of events that no row stands for

_FILES = {f"memory.{verb}_file": verb for verb in ("upload", "write", "edit", "delete", "restore", "erase")}
_MEMORIES = {
    "memory.remember": "remembered",
    "memory.propose_item": "proposed",
    "memory.edit_item": "edited",
    "memory.pin_item": "pinned",
    "memory.forget_item": "forgotten",
}


@dataclass(frozen=True, kw_only=True, order=True)
class EventId:
    """Where an event stands: the sequence number of its row, and its part. Written `seq.part`."""

    seq: int
    part: int

    def __str__(self) -> str:
        return f"{self.seq}.{self.part}"

    @classmethod
    def parse(cls, written: str | None) -> "EventId | None":
        """The id a client says it saw last; None for nothing, or for something that is no id of ours."""
        seq, _, part = (written or "").partition(".")
        if not (seq.isdecimal() and part.isdecimal() and seq.isascii() and part.isascii() and len(seq + part) < 20):
            return None
        return cls(seq=int(seq), part=int(part))


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One event with its place in the stream."""

    id: EventId
    event: BaseEvent


def sse(sent: Sent) -> str:
    """One message of a `text/event-stream`, AG-UI's JSON in its data."""
    return f"id: {sent.id}\ndata: {sent.event.model_dump_json(by_alias=True, exclude_none=True)}\n\n"


KEEP_ALIVE = ": still here\n\n"


class Projection:
    """Reads the rows of one task in order and says what each means to whoever watches."""

    def __init__(self, *, task: TaskId, thread: ThreadId) -> None:
        self._task, self._thread = task, thread
        self._run: str | None = None  # the run that is open
        self._attempt = 1
        self._text: dict[str, str] = {}  # model call → its open message
        self._texts: dict[str, int] = {}  # model call → messages it has had
        self._said = ""  # the text of the newest message
        self._cards: set[str] = set()  # tool calls that were shown
        self._results: set[str] = set()  # tool calls whose end was shown
        self._asked: dict[str, TaskEvent] = {}  # approval → the row that asked
        self._seq, self._ended = -1, False

    def feed(self, rows: Iterable[TaskEvent]) -> list[Sent]:
        """The events of the next rows."""
        sent: list[Sent] = []
        part = 0
        for row in rows:
            if row.seq != self._seq:  # two rows may stand in one record
                self._seq, part = row.seq, 0
            for event in self._events(row):
                event.timestamp = int(row.at.timestamp() * 1000)
                sent.append(Sent(id=EventId(seq=row.seq, part=part), event=event))
                part += 1
        return sent

    def close(self, state: State, code: str | None) -> list[Sent]:
        """What is missing when a task has ended without saying so in its journal: stopped in the queue, or given up."""
        if self._ended or not state.is_ended:
            return []
        if self._run is None and self._seq >= 0:  # it had paused
            self._attempt += 1
        events = [*self._open_run(), *self._end(str(state), code, {})]
        seq = max(self._seq, 0)
        return [Sent(id=EventId(seq=seq, part=CLOSING + part), event=event) for part, event in enumerate(events)]

    def _events(self, row: TaskEvent) -> list[BaseEvent]:
        match row.kind:
            case "task.started":
                return self._open_run()
            case "task.resumed":
                self._attempt = int(row.attrs.get("attempt", self._attempt + 1))
                return [*self._retract_all(), *self._open_run()]
            case "text.delta":
                return self._delta(row)
            case "action.intent":
                return self._intent(row)
            case "action.result":
                return self._result(row)
            case "action.failed":
                return self._failed(row)
            case "action.refused":
                return self._refused(row)
            case "approval.asked":
                self._asked[row.attrs["approval_id"]] = row
                return [*self._card(row), made.decision(row)]
            case "approval.given" | "approval.declined":
                self._asked.pop(row.attrs["approval_id"], None)
                return [made.approval(row)]
            case "task.paused":
                return self._paused()
            case "task.ended":
                return self._end(row.attrs.get("outcome", "done"), row.attrs.get("code"), row.content)
        return []

    def _open_run(self) -> list[BaseEvent]:
        if self._run is not None:
            return []
        self._run = str(self._task) if self._attempt == 1 else f"{self._task}.{self._attempt}"
        about = {"joule": {"task": str(self._task), "attempt": self._attempt}}
        return [RunStartedEvent(thread_id=str(self._thread), run_id=self._run, metadata=about)]

    def _delta(self, row: TaskEvent) -> list[BaseEvent]:
        text, call = row.content.get("text"), row.call or ""
        if not text:
            return []
        if call in self._cards:
            return [made.output(row, text)]
        events = self._begin_text(call)
        self._said += text
        return [*events, made.text_content(self._text[call], text)]

    def _begin_text(self, call: str) -> list[BaseEvent]:
        if call in self._text:
            return []
        self._texts[call] = self._texts.get(call, 0) + 1
        count = self._texts[call]
        self._text[call] = f"{self._task}/{call}" if count == 1 else f"{self._task}/{call}~{count}"
        self._said = ""
        return [made.text_start(self._text[call])]

    def _end_text(self, call: str, metadata: dict[str, Any] | None = None) -> list[BaseEvent]:
        message = self._text.pop(call, None)
        return [] if message is None else [made.text_end(message, metadata)]

    def _retract(self, call: str) -> list[BaseEvent]:
        """Take back the text of a model step that did not end: it will be said again, in another message."""
        message = self._text.get(call)
        return [] if message is None else [*self._end_text(call), made.retracted(message, call)]

    def _retract_all(self) -> list[BaseEvent]:
        return [event for call in list(self._text) for event in self._retract(call)]

    def _intent(self, row: TaskEvent) -> list[BaseEvent]:
        if _is_tool(row):
            return [*self._card(row), made.decision(row)]
        return [*self._retract(row.call or ""), made.decision(row)]

    def _card(self, row: TaskEvent) -> list[BaseEvent]:
        call = row.call or ""
        if not _is_tool(row) or call in self._cards:
            return []
        self._cards.add(call)
        return made.card(self._tool_call(call), row)

    def _tool_call(self, call: str) -> str:
        return f"{self._task}/{call}"

    def _result(self, row: TaskEvent) -> list[BaseEvent]:
        call, result = row.call or "", row.content.get("result")
        if not _is_tool(row):
            events: list[BaseEvent] = []
            text = result.get("text") if isinstance(result, dict) else None
            if isinstance(text, str) and text and call.startswith("model/") and call not in self._text:
                events = self._whole_text(call, text)
            return [*events, *self._end_text(call, made.measures(row))]
        return [*self._card(row), *self._tool_end(row, result), *_kept(row, result)]

    def _whole_text(self, call: str, text: str) -> list[BaseEvent]:
        events = self._begin_text(call)
        self._said = text
        return [*events, made.text_content(self._text[call], text)]

    def _tool_end(self, row: TaskEvent, content: Any) -> list[BaseEvent]:
        call = row.call or ""
        if call in self._results:
            return []
        self._results.add(call)
        return [made.tool_result(self._tool_call(call), row, content)]

    def _failed(self, row: TaskEvent) -> list[BaseEvent]:
        error = {"code": row.attrs.get("code"), **(row.content.get("error") or {})}
        if _is_tool(row):
            return [*self._card(row), *self._tool_end(row, {"error": error})]
        return [*self._end_text(row.call or ""), made.failure(row, error)]

    def _refused(self, row: TaskEvent) -> list[BaseEvent]:
        events = [*self._card(row), made.decision(row)]
        if _is_tool(row):
            events += self._tool_end(row, {"refused": row.content.get("why") or {}})
        return events

    def _paused(self) -> list[BaseEvent]:
        events = [event for call in list(self._text) for event in self._end_text(call)]
        run, self._run = self._run or str(self._task), None
        questions = [(self._tool_call(row.call or "") if _is_tool(row) else None, row) for row in self._asked.values()]
        # A question answered before the run had paused leaves nothing to ask: the next run follows by itself.
        outcome = made.interrupted(questions) if questions else None
        return [*events, RunFinishedEvent(thread_id=str(self._thread), run_id=run, outcome=outcome)]

    def _end(self, outcome: str, code: str | None, content: Mapping[str, Any]) -> list[BaseEvent]:
        self._ended = True
        events = [event for call in list(self._text) for event in self._end_text(call)]
        answer = content.get("answer")
        if isinstance(answer, str) and answer and answer.strip() != self._said.strip():
            events += [*self._whole_text("answer", answer), *self._end_text("answer")]
        run, self._run = self._run or str(self._task), None
        if outcome in {"failed", "limit"}:
            return [*events, made.run_error(outcome, code or "task.failed", content.get("error") or {})]
        ended = RunFinishedCancelledOutcome() if outcome == "stopped" else made.SUCCESS
        return [*events, RunFinishedEvent(thread_id=str(self._thread), run_id=run, outcome=ended)]


def _is_tool(row: TaskEvent) -> bool:
    return (row.call or "").startswith("act/")


def _kept(row: TaskEvent, result: Any) -> list[BaseEvent]:
    """What the person can now find in their project or their memory."""
    action = row.attrs.get("action", "")
    if not isinstance(result, dict):
        return []
    if action in _FILES:
        return [made.custom("joule.file", {"change": _FILES[action], **_without_label(result)})]
    if action in _MEMORIES:
        return [made.custom("joule.memory", {"change": _MEMORIES[action], **_without_label(result)})]
    return []


def _without_label(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "label"}
