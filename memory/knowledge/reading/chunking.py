"""Cuts a document into pieces of about 900 characters, along its own structure.

Pure. A piece never crosses a heading, a page or a change of marks; `parsed.text[piece.start:piece.end] == piece.text`.
"""

from dataclasses import dataclass

from memory.knowledge.reading.model import Mark, Parsed

TARGET = 900  # characters
OVERLAP = 120  # at most; only between neighbours within one section of one page


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
    raise NotImplementedError
