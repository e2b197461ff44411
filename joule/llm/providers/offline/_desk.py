"""What lies on the table while one message is worked on: the tools offered, and the results that have come back.

The planner is run from the start at every step and asks the desk for what it needs; the first time, the desk raises
`Pending` with the calls to make, and the next time it has the answers. So the plan follows from the conversation alone
and is the same whenever it is replayed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from joule.llm.actions import Message, ToolCall, ToolSpec, canonical_json

# What we call an argument, and what a tool may call it.
_ALIASES = {
    "file": ("file_name", "name", "file", "path"),
    "item": ("item", "item_id", "id"),
    "text": ("text", "content"),
}


@dataclass(frozen=True, kw_only=True)
class Want:
    """A tool to be used, with arguments in our words."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a call: its result by name, or `problem` in words that may be shown."""

    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_good(self) -> bool:
        return not self.problem

    def text(self, name: str) -> str:
        """A value as text; empty when it is not there."""
        found = self.values.get(name)
        return found if isinstance(found, str) else ""

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """A value as a list of records; whatever is not one is left out."""
        found = self.values.get(name)
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


class Pending(Exception):
    """Calls have to be made before the plan can go on."""

    def __init__(self, wants: Sequence[Want]) -> None:
        super().__init__()
        self.wants = tuple(wants)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The conversation as the planner sees it."""

    request: str
    last_answer: str  # the answer before this message; empty when there was none
    calls: tuple[tuple[str, str, Outcome], ...]  # since the message: tool, canonical arguments, outcome
    made: int  # calls in the whole conversation, so that ids are never used twice
    is_first: bool  # nothing has been said or done yet about this message


def turn_of(messages: Sequence[Message]) -> Turn:
    """The last message of the person, and everything since."""
    asked = max((at for at, each in enumerate(messages) if each.role == "user"), default=-1)
    before, since = messages[: max(asked, 0)], messages[asked + 1 :]
    answers = {each.call_id: _outcome(each.text) for each in since if each.role == "tool"}
    calls = [call for each in since for call in each.tool_calls]
    missing = Outcome(problem="it was not carried out")
    return Turn(
        request=messages[asked].text if asked >= 0 else "",
        last_answer=next((each.text for each in reversed(before) if each.role == "assistant" and each.text), ""),
        calls=tuple((call.name, call.arguments, answers.get(call.id, missing)) for call in calls),
        made=sum(len(each.tool_calls) for each in messages),
        is_first=not calls,
    )


def _outcome(text: str) -> Outcome:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return Outcome(problem=_sentence(text))
    if not isinstance(values, dict):
        return Outcome(values={"value": values})
    for key in ("error", "refused"):
        if values.get(key):
            return Outcome(problem=_said(values[key], values))
    return Outcome(values=values)


def _said(problem: Any, around: Mapping[str, Any]) -> str:
    inside = problem if isinstance(problem, dict) else around
    message = next((inside[key] for key in ("message", "reason", "problem") if isinstance(inside.get(key), str)), "")
    if not message and isinstance(problem, str):
        message = problem
    advice = inside.get("advice")
    parts = [_sentence(message or "it did not work"), _sentence(advice) if isinstance(advice, str) else ""]
    return ". ".join(each for each in parts if each)


def _sentence(text: str) -> str:
    return " ".join(text.split())[:400].rstrip(". ") or "it did not work"


class Desk:
    """Tools and results for one wish. `since`: calls before that place are not looked at, so that a file that has
    been changed is read anew."""

    def __init__(self, *, turn: Turn, tools: Sequence[ToolSpec], since: int = 0) -> None:
        self._turn, self._since = turn, since
        self._tools = {each.name: _properties(each) for each in tools}
        self.reached = since  # the place after the last result that was used

    def has(self, tool: str) -> bool:
        return tool in self._tools

    def ask(self, *wants: Want) -> list[Outcome]:
        """The outcomes of `wants`, in order. Raises `Pending` with those that have not been tried, all at once."""
        places = [self._place(each) for each in wants]
        missing = [want for want, place in zip(wants, places, strict=True) if place is None and self.has(want.tool)]
        if missing:
            raise Pending(missing)
        return [
            self._used(place) if place is not None else Outcome(problem=f"the tool {want.tool} is not offered here")
            for want, place in zip(wants, places, strict=True)
        ]

    def call(self, want: Want, number: int) -> ToolCall:
        """The call for a want, in the words of the offered tool."""
        return ToolCall(id=f"offline_{number}", name=want.tool, arguments=self._arguments(want))

    def _place(self, want: Want) -> int | None:
        wanted = (want.tool, self._arguments(want))
        for place in range(self._since, len(self._turn.calls)):
            if self._turn.calls[place][:2] == wanted:
                return place
        return None

    def _used(self, place: int) -> Outcome:
        self.reached = max(self.reached, place + 1)
        return self._turn.calls[place][2]

    def _arguments(self, want: Want) -> str:
        properties = self._tools.get(want.tool, {})
        named: dict[str, Any] = {}
        for ours, value in want.arguments.items():
            names = _ALIASES.get(ours, (ours,))
            theirs = next((each for each in names if each in properties), None)
            if theirs is not None and value is not None:
                named[theirs] = value
        return canonical_json(named)


def _properties(tool: ToolSpec) -> Mapping[str, Any]:
    try:
        schema = json.loads(tool.parameters)
    except ValueError:
        return {}
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}
