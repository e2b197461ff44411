"""Cuts a document into pieces of about 900 characters, along its own structure.

Pure. A piece never crosses a heading, a page or a change of marks; `parsed.text[piece.start:piece.end] == piece.text`.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from memory.knowledge.reading.model import Mark, Parsed, Part

TARGET = 900  # characters
LONGEST = 1_100  # so that no crumbs are left behind a cut
OVERLAP = 120  # at most; only between neighbours within one section of one page

_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]{0,2}\s+|\n")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What is found by a search and cited. `sha256` is of its text in UTF-8, in hex."""

    ordinal: int
    text: str
    page: int | None
    heading: tuple[str, ...]
    start: int
    end: int
    marks: frozenset[Mark]
    sha256: str


def pieces(parsed: Parsed) -> tuple[Piece, ...]:
    """All pieces, in the order of the text."""
    text = parsed.text
    found: list[Piece] = []
    for run in _runs(parsed.parts):
        first = run[0]
        for start, end in _cuts(text, run):
            found.append(
                Piece(
                    ordinal=len(found),
                    text=text[start:end],
                    page=first.page,
                    heading=first.heading,
                    start=start,
                    end=end,
                    marks=first.marks,
                    sha256=hashlib.sha256(text[start:end].encode()).hexdigest(),
                )
            )
    return tuple(found)


def _runs(parts: tuple[Part, ...]) -> Iterator[list[Part]]:
    """Neighbours that belong together. A heading with nothing but other headings below it stands in their paths."""
    runs = [list(run) for _, run in groupby(parts, key=lambda part: (part.page, part.heading, part.marks))]
    for run, after in zip(runs, [*runs, None][1:], strict=True):
        path = run[0].heading
        bare = all(part.is_heading for part in run)
        if not (
            bare and after is not None and len(after[0].heading) > len(path) and after[0].heading[: len(path)] == path
        ):
            yield run


def _cuts(text: str, run: list[Part]) -> Iterator[tuple[int, int]]:
    """Where the pieces of one run start and end."""
    at, last = run[0].start, run[-1].end
    overlaps = Mark.TABLE not in run[0].marks  # rows stand for themselves
    ends = [part.end for part in run]
    while last - at > LONGEST:
        cut = _cut(text, at, ends)
        yield _trimmed(text, at, cut)
        at = _back(text, at, cut) if overlaps else cut
        while at < last and text[at].isspace():
            at += 1
    yield _trimmed(text, at, last)


def _cut(text: str, at: int, ends: list[int]) -> int:
    """The best place to end a piece that starts at `at`: after a block, a sentence, a word, or just there."""
    low, high = at + TARGET // 2, at + TARGET
    block = bisect_right(ends, high) - 1
    if block >= 0 and ends[block] >= low:
        return ends[block]
    sentences = [found.end() for found in _SENTENCE_END.finditer(text, low, high)]
    if sentences:
        return sentences[-1]
    blank = text.rfind(" ", low, high)
    return blank if blank > 0 else high


def _back(text: str, at: int, cut: int) -> int:
    """Where the next piece starts: the sentence before the cut again, or some words of it."""
    low = max(cut - OVERLAP, at + TARGET // 4)
    sentence = _SENTENCE_END.search(text, low, cut - 1)
    if sentence and sentence.end() < cut:
        return sentence.end()
    blank = text.find(" ", low, cut - 1)
    return blank + 1 if blank >= 0 else cut


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end and text[start].isspace():
        start += 1
    return start, end
