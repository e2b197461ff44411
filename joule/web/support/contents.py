"""Shows what was said in a step, once the read of it is on record, and where each value came from. Pure.

What comes here holds only the parts that were granted, with secrets masked. It is shown as text, never as a page of
its own: an outsider's words are data.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from joule.governance.flow import Provenance, provenance
from joule.web.support.timeline import Step
from traces.grants.parts import Part
from traces.reader import TaskEvent

MOST = 12_000  # characters of one value
_WORDS = {
    Part.REQUEST: "What was asked",
    Part.ARGUMENTS: "What tools were asked",
    Part.RESULTS: "What tools gave back",
    Part.ANSWER: "What the model wrote",
}
_FROM = {
    Provenance.WORDS: "stands in the person's own message",
    Provenance.MINTED: "is an id that an earlier step of this task gave back",
    Provenance.NOTHING: "",
    Provenance.ELSEWHERE: "stands neither in this message nor in an earlier result",
}
_OURS = frozenset({"project"})  # set by Joule itself, whatever anybody said
_TITLES = {"request": "Request", "answer": "Answer", "text": "Shown while it was written", "error": "Error"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """One argument, and where it came from as far as what is granted can tell."""

    name: str
    text: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A longer text of a step."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What was said in one step."""

    values: tuple[Value, ...]
    passages: tuple[Passage, ...]
    labels: tuple[str, ...]


def part_words(part: Part) -> str:
    """A part of the content, as people are asked about it."""
    return _WORDS[part]


def contents(steps: Sequence[Step], parts: Collection[Part]) -> dict[int, Contents]:
    """What was said, by the first row of each step. Steps without any content are left out."""
    told: dict[int, Contents] = {}
    words = "\n".join(str(e.content["request"]) for s in steps for e in s.events if "request" in e.content)
    minted: set[UUID] = set()
    all_of = Part.RESULTS in parts  # else nobody can tell that a value stands in none of them
    for step in steps:
        found = _of(step.events, words=words if Part.REQUEST in parts else None, minted=minted if all_of else None)
        if found.values or found.passages:
            told[step.seq] = found
        for event in step.events:
            minted |= _ids(event.content.get("result"))
    return told


def _of(events: Sequence[TaskEvent], *, words: str | None, minted: Collection[UUID] | None) -> Contents:
    values: dict[str, Value] = {}
    passages: dict[str, str] = {}
    labels: list[str] = []
    for event in events:
        if isinstance(label := event.content.get("label"), Mapping):
            labels.append(_label(label))
        for name, said in event.content.items():
            if name == "args" and isinstance(said, Mapping):
                values |= {
                    key: _value(key, each, words, minted) for key, each in said.items() if each not in (None, "")
                }
            elif name == "why" and isinstance(said, Mapping):
                passages["Why"] = " ".join(str(said[key]) for key in ("reason", "advice") if said.get(key))
            elif name == "result":
                labels += _labels(said)
                passages["Result"] = _told(_without_label(said))
            elif name == "text":
                passages[_TITLES["text"]] = passages.get(_TITLES["text"], "") + str(said)
            elif name not in {"label", "grant"} and said:
                passages[_TITLES.get(name, name.capitalize())] = _told(said)
    return Contents(
        values=tuple(values.values()),
        passages=tuple(Passage(title=title, text=_short(text)) for title, text in passages.items() if text),
        labels=tuple(dict.fromkeys(labels)),
    )


def _value(name: str, said: Any, words: str | None, minted: Collection[UUID] | None) -> Value:
    if isinstance(said, Mapping) and set(said) == {"length"}:
        return Value(name=name, text=f"{said['length']} characters or bytes, kept out of the record", origin="")
    origin = ""
    if isinstance(said, str) and words is not None and name not in _OURS:
        found = provenance({name: said}, words=words, minted=minted or ())
        origin = _FROM[found] if found is not Provenance.ELSEWHERE or minted is not None else ""
    return Value(name=name, text=_short(_told(said)), origin=origin)


def _told(said: Any) -> str:
    if isinstance(said, Mapping) and set(said) <= {"message", "advice"}:
        return " ".join(str(each) for each in said.values() if each)
    return said if isinstance(said, str) else json.dumps(said, indent=2, ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= MOST else f"{text[:MOST]}\n… {len(text) - MOST:,} more characters are in the record"


def _without_label(said: Any) -> Any:
    if isinstance(said, Mapping):
        kept = {name: _without_label(each) for name, each in said.items() if name != "label"}
        return kept["text"] if set(kept) == {"text"} else kept
    return [_without_label(each) for each in said] if isinstance(said, list) else said


def _labels(said: Any) -> list[str]:
    """Every label in a result, in words."""
    if isinstance(said, Mapping):
        own = [_label(said["label"])] if isinstance(said.get("label"), Mapping) else []
        return own + [word for each in said.values() for word in _labels(each)]
    return [word for each in said for word in _labels(each)] if isinstance(said, list) else []


def _label(label: Mapping[str, Any]) -> str:
    sources = ", ".join(sorted(str(each) for each in label.get("sources") or ())) or "nothing named"
    readers = label.get("readers")
    told = [f"{label.get('integrity', 'untrusted')}, made from {sources}"]
    told.append("everyone in the organisation may read it" if readers is None else f"{len(readers)} people may read it")
    told.append(f"training {label.get('training', 'denied')}")
    return "; ".join(told)


def _ids(said: Any) -> set[UUID]:
    """What reads as an id in a result."""
    if isinstance(said, str) and len(said) == 36:
        try:
            return {UUID(said)}
        except ValueError:
            return set()
    if isinstance(said, Mapping):
        return set().union(*(_ids(each) for each in said.values()))
    return set().union(*(_ids(each) for each in said)) if isinstance(said, list) else set()
