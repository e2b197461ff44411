"""Lays two runs side by side, call by call, and marks where they differ. Looks at heads alone. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joule.web.support.timeline import Step, steps
from traces.reader import TaskEvent

_COMPARED = ("title", "decision", "code", "policies", "facts")
_OF_EVENTS = ("title", "code")  # what else they hold is ids, which no two runs share


@dataclass(frozen=True, kw_only=True)
class Side:
    """A call in one of the two runs."""

    seq: int
    title: str
    decision: str
    tone: str
    took: str
    tokens: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One call in both runs; None where it was not made. `differs` names what is not the same."""

    call: str
    depth: int
    one: Side | None
    other: Side | None
    differs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs. `first` is the call at which they part; "" when they never do."""

    pairs: tuple[Pair, ...]
    first: str
    versions: tuple[str, ...]


def compare(one: Sequence[TaskEvent], other: Sequence[TaskEvent]) -> Comparison:
    """The calls of both runs in the order of the first, with those of the second alone where they came."""
    left, right = _by_key(_as_asked(steps(one))), _by_key(_as_asked(steps(other)))
    pairs = [_pair(key, left.get(key), right.get(key)) for key in _merged(list(left), list(right))]
    return Comparison(
        pairs=tuple(pairs),
        first=next((pair.call for pair in pairs if pair.differs), ""),
        versions=_versions(one, other),
    )


def _as_asked(found: Sequence[Step]) -> Sequence[Step]:
    """Calls of one answer of the model begin in any order; here they stand in that in which they were asked for."""
    ordered, places = list(found), dict[str, list[int]]()
    for place, step in enumerate(found):
        if step.call.startswith("act/"):
            places.setdefault(step.call.rpartition("/")[0], []).append(place)
    for taken in places.values():
        side_by_side = sorted((found[place] for place in taken), key=lambda step: int(step.call.rpartition("/")[2]))
        for place, step in zip(taken, side_by_side, strict=True):
            ordered[place] = step
    return ordered


def _by_key(found: Sequence[Step]) -> dict[str, Step]:
    """Steps by what they stand for in any run: the key of their call, else what they are, counted."""
    keyed: dict[str, Step] = {}
    for step in found:
        kind = step.events[0].kind
        word = step.call if step.action else f"{kind.removeprefix('task.')} {step.call}".strip()
        count, key = 1, word
        while key in keyed:
            count += 1
            key = f"{word} ({count})"
        keyed[key] = step
    return keyed


def _merged(left: list[str], right: list[str]) -> list[str]:
    """All keys: those of `left` in their order, what only `right` has right after what came before it there."""
    merged, known = list(left), set(left)
    for n, key in enumerate(right):
        if key not in known:
            before = right[n - 1] if n else None
            merged.insert(merged.index(before) + 1 if before in merged else 0, key)
            known.add(key)
    return merged


def _pair(key: str, one: Step | None, other: Step | None) -> Pair:
    there = one or other
    differs: tuple[str, ...] = ("only in the second",) if one is None else ("only in the first",)
    if one is not None and other is not None:
        compared = _COMPARED if one.action else _OF_EVENTS
        differs = tuple(name for name in compared if getattr(one, name) != getattr(other, name))
    return Pair(
        call=key, depth=there.depth if there is not None else 0, one=_side(one), other=_side(other), differs=differs
    )


def _side(step: Step | None) -> Side | None:
    if step is None:
        return None
    return Side(
        seq=step.seq,
        title=f"{step.title} ({step.code})" if step.code else step.title,
        decision=step.decision,
        tone=step.tone,
        took=step.took,
        tokens=step.tokens,
    )


def _versions(one: Sequence[TaskEvent], other: Sequence[TaskEvent]) -> tuple[str, ...]:
    """What of Joule itself was another version."""
    first, second = _started(one), _started(other)
    names = ("code_version", "graph", "prompt", "tools", "bundle")
    return tuple(name.replace("_", " ") for name in names if first.get(name) != second.get(name))


def _started(events: Sequence[TaskEvent]) -> Mapping[str, Any]:
    return next((each.attrs for each in events if each.kind == "task.started"), {})
