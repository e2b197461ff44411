"""Chooses what of all that fits a question is put before a model, when there is not room for everything.

Pure. What fits best comes first, but trusted before untrusted and newer before older where they fit about as well.
Nothing is cut: half a passage says something else than the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from joule.kernel.label import Integrity, Label

T = TypeVar("T")

ALIKE = 5  # neighbours in the order of fit that fit about as well


@dataclass(frozen=True, kw_only=True)
class Candidate(Generic[T]):
    """Something that could be shown. `length` in characters, as it will be shown; `pinned`: a person wants it there."""

    value: T
    length: int
    label: Label
    at: datetime | None = None
    pinned: bool = False


@dataclass(frozen=True, kw_only=True)
class Selection(Generic[T]):
    """What is shown, in the order it was given, and how much was left out for want of room."""

    shown: tuple[T, ...]
    left_out: int
    length: int


def selected(candidates: Sequence[Candidate[T]], *, budget: int, alike: int = ALIKE) -> Selection[T]:
    """As much as `budget` characters hold of `candidates`, which come best fit first.

    Each `alike` of them in a row count as fitting equally well; for things in no such order, that is all of them.
    """

    def place_in_line(place: int) -> tuple[bool, int, bool, float, int]:
        each = candidates[place]
        untrusted = each.label.integrity is not Integrity.TRUSTED
        return not each.pinned, place // max(1, alike), untrusted, -_moment(each), place

    taken: set[int] = set()
    room = budget
    for place in sorted(range(len(candidates)), key=place_in_line):
        if candidates[place].length <= room:
            taken.add(place)
            room -= candidates[place].length
    return Selection(
        shown=tuple(each.value for place, each in enumerate(candidates) if place in taken),
        left_out=len(candidates) - len(taken),
        length=budget - room,
    )


def _moment(candidate: Candidate[T]) -> float:
    return candidate.at.timestamp() if candidate.at is not None else float("-inf")
