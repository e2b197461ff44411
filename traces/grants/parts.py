"""What of a task's content can be granted, and which recorded field belongs to which part. Pure and closed.

A field that is not named here belongs to no part: it is shown to nobody under a grant. What was said in earlier tasks
of a conversation stands in the record of the later ones too, and is of no part: a grant is for one task.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from traces.grants.masking import masked
from traces.reader import TaskEvent


class Part(StrEnum):
    """A part of a task's content, in the order in which it came to be."""

    REQUEST = "request"  # what the person asked
    ARGUMENTS = "arguments"  # what tools were asked, why the gate asked or refused, what a person noted
    RESULTS = "results"  # what tools gave back, and the words of errors
    ANSWER = "answer"  # what the model wrote


EVERYTHING = frozenset(Part)

_FIELDS: Mapping[tuple[str, str], Part] = {
    ("task.started", "request"): Part.REQUEST,
    ("task.started", "label"): Part.REQUEST,
    ("task.ended", "answer"): Part.ANSWER,
    ("task.ended", "label"): Part.ANSWER,
    ("task.ended", "error"): Part.RESULTS,
    ("text.delta", "text"): Part.ANSWER,
    ("action.intent", "args"): Part.ARGUMENTS,
    ("action.refused", "args"): Part.ARGUMENTS,
    ("action.refused", "why"): Part.ARGUMENTS,
    ("approval.asked", "args"): Part.ARGUMENTS,
    ("approval.asked", "why"): Part.ARGUMENTS,
    ("approval.asked", "grant"): Part.ARGUMENTS,
    ("action.failed", "error"): Part.RESULTS,
    ("action.result", "result"): Part.RESULTS,
}
_WORDS = frozenset({"text", "finish_reason", "model", "provider", "label"})
_NEEDED = {
    "request": {Part.REQUEST},
    "args": {Part.ARGUMENTS},
    "why": {Part.ARGUMENTS},
    "error": {Part.RESULTS},
    "result": {Part.RESULTS, Part.ANSWER, Part.ARGUMENTS},  # of a tool, or of the model with the calls it asked for
    "answer": {Part.ANSWER},
    "text": {Part.ANSWER},
}


def part_of(kind: str, call: str | None, name: str) -> Part | None:
    """Which part a recorded field belongs to; None for what no grant opens."""
    if (kind, name) == ("action.result", "result") and call is not None and call.startswith("model/"):
        return Part.ANSWER
    return _FIELDS.get((kind, name))


def field_names(parts: Collection[Part]) -> frozenset[str]:
    """The names of recorded fields that belong to `parts` wherever they stand."""
    return frozenset(name for name, needed in _NEEDED.items() if needed <= set(parts))


def shown(event: TaskEvent, parts: Collection[Part]) -> dict[str, Any]:
    """The content of a row that belongs to `parts`, with secrets masked."""
    told = {
        name: masked(value) for name, value in event.content.items() if part_of(event.kind, event.call, name) in parts
    }
    if part_of(event.kind, event.call, "result") is Part.ANSWER and Part.ARGUMENTS not in parts and "result" in told:
        told["result"] = _words_alone(told["result"])
    return told


def _words_alone(answer: Any) -> Any:
    """A model's answer without the calls it asked for, which hold what tools were asked."""
    return {name: each for name, each in answer.items() if name in _WORDS} if isinstance(answer, dict) else None
