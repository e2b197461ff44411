"""Cuts a document's text into what one page shows, with the passage that is looked at marked in it. Pure.

A document with pages is shown by page; one without is cut at parts, so that no paragraph is torn.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from joule.web.chat.knowledge.showing import MARKS
from memory.knowledge.queries import WholeText
from memory.knowledge.reading.model import Part

LEAF = 6_000  # characters of a leaf where there are no pages
_SPAN = re.compile(r"(\d{1,9})-(\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One part as it is shown. `passage` is what is looked at, between `before` and `after`."""

    is_heading: bool
    mark: str
    before: str
    passage: str
    after: str
    first: bool  # the passage begins here


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One page of a document. `number` counts from 1 to `total`."""

    number: int
    total: int
    parts: tuple[Shown, ...]


def span_of(at: str) -> tuple[int, int] | None:
    """The characters an address names; None when it names none."""
    found = _SPAN.fullmatch(at)
    return (int(found[1]), int(found[2])) if found is not None and int(found[1]) < int(found[2]) else None


def leaf_of(text: WholeText, *, number: int, span: tuple[int, int] | None) -> Leaf:
    """The leaf with this number, or the one on which `span` begins. A number that is too high gives the last."""
    leaves = _by_page(text) if text.pages else _by_length(text.parts)
    total = max(1, len(leaves))
    if span is not None:
        number = next((at for at, parts in enumerate(leaves, 1) if any(each.end > span[0] for each in parts)), number)
    number = max(1, min(number, total))
    parts = leaves[number - 1] if leaves else ()
    return Leaf(number=number, total=total, parts=_shown(parts, span))


def _by_page(text: WholeText) -> list[Sequence[Part]]:
    pages: list[list[Part]] = [[] for _ in range(text.pages or 0)]
    for part in text.parts:
        if part.page is not None and part.page <= len(pages):
            pages[part.page - 1].append(part)
    return list(pages)


def _by_length(parts: Sequence[Part]) -> list[Sequence[Part]]:
    leaves: list[list[Part]] = []
    size = 0
    for part in parts:
        if not leaves or (size and size + len(part.text) > LEAF):
            leaves.append([])
            size = 0
        leaves[-1].append(part)
        size += len(part.text)
    return list(leaves)


def _shown(parts: Sequence[Part], span: tuple[int, int] | None) -> tuple[Shown, ...]:
    shown: list[Shown] = []
    begun = False
    for part in parts:
        start, end = (max(span[0], part.start) - part.start, min(span[1], part.end) - part.start) if span else (0, 0)
        is_in = start < end
        mark = next((MARKS[each.value] for each in sorted(part.marks) if each.value in MARKS), "")
        shown.append(
            Shown(
                is_heading=part.is_heading,
                mark=mark,
                before=part.text[:start] if is_in else part.text,
                passage=part.text[start:end] if is_in else "",
                after=part.text[end:] if is_in else "",
                first=is_in and not begun,
            )
        )
        begun = begun or is_in
    return tuple(shown)
