"""What a task's journal says of each of its calls: asked, intended, done, failed or refused.

This is what a resumed task is re-run against: a call that has an end is not performed again.
"""

from dataclasses import dataclass, field

from traces.records import Kind, Row

_ENDS = {Kind.RESULT, Kind.FAILED, Kind.REFUSED}


@dataclass(kw_only=True)
class Step:
    """All that is recorded of one call, the last of each."""

    intent: Row | None = None
    asked: Row | None = None
    lacking: Row | None = None  # it was tried, and a connected account lacked a permission: nothing was done
    end: Row | None = None


@dataclass(kw_only=True)
class Recording:
    """The record of one task by call. Grows while the task runs, so that even a call made twice is done once."""

    steps: dict[str, Step] = field(default_factory=dict)
    started: Row | None = None
    ended: Row | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)  # shown while a call worked, in this attempt

    def take(self, row: Row) -> None:
        """Count one more row in."""
        if row.kind is Kind.TASK_STARTED:
            self.started = row
        elif row.kind is Kind.TASK_ENDED:
            self.ended = row
        elif row.kind is Kind.TASK_RESUMED:
            self.texts.clear()
        elif row.kind is Kind.TEXT and row.call is not None:
            self.texts.setdefault(row.call, []).append(str(row.content.get("text", "")))
        elif row.call is not None:
            step = self.steps.setdefault(row.call, Step())
            if row.kind in _ENDS:
                step.end = row
            elif row.kind is Kind.INTENT:
                step.intent = row
            elif row.kind is Kind.ASKED and "code" in row.attrs:
                step.lacking, step.intent = row, None
            elif row.kind is Kind.ASKED:
                step.asked = row

    def unfinished_text(self) -> str:
        """What was shown of an answer that has no end yet."""
        # What a tool says while it works is on its card, and no part of an answer.
        open_calls = [call for call in self.texts if call.startswith("model/") and self.step(call).end is None]
        return "".join(self.texts[open_calls[-1]]) if open_calls else ""

    def step(self, call: str) -> Step:
        """What is recorded of `call`; an empty step when nothing is."""
        return self.steps.get(call) or Step()
