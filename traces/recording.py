"""What a task's journal says of each of its calls: asked, intended, done, failed or refused.

This is what a resumed task is re-run against: a call that has an end is not performed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from traces.records import Kind

_ENDS = {Kind.RESULT, Kind.FAILED, Kind.REFUSED}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row, opened."""

    seq: int
    at: datetime
    kind: Kind
    call: str | None
    attrs: Mapping[str, Any]
    content: Mapping[str, Any]


@dataclass(kw_only=True)
class Step:
    """All that is recorded of one call, the last of each."""

    intent: Entry | None = None
    asked: Entry | None = None
    end: Entry | None = None


@dataclass(kw_only=True)
class Recording:
    """The record of one task by call. Grows while the task runs, so that even a call made twice is done once."""

    steps: dict[str, Step] = field(default_factory=dict)
    started: Entry | None = None
    ended: Entry | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)  # shown while a call worked, in this attempt

    def take(self, entry: Entry) -> None:
        """Count one more row in."""
        if entry.kind is Kind.TASK_STARTED:
            self.started = entry
        elif entry.kind is Kind.TASK_ENDED:
            self.ended = entry
        elif entry.kind is Kind.TASK_RESUMED:
            self.texts.clear()
        elif entry.kind is Kind.TEXT and entry.call is not None:
            self.texts.setdefault(entry.call, []).append(str(entry.content.get("text", "")))
        elif entry.call is not None:
            step = self.steps.setdefault(entry.call, Step())
            if entry.kind in _ENDS:
                step.end = entry
            elif entry.kind is Kind.INTENT:
                step.intent = entry
            elif entry.kind is Kind.ASKED:
                step.asked = entry

    def unfinished_text(self) -> str:
        """What was shown of an answer that has no end yet."""
        open_calls = [call for call in self.texts if self.step(call).end is None]
        return "".join(self.texts[open_calls[-1]]) if open_calls else ""

    def step(self, call: str) -> Step:
        """What is recorded of `call`; an empty step when nothing is."""
        return self.steps.get(call) or Step()
