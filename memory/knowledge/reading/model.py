"""What reading a document gives: its text in parts, each with its page, its place under headings and its marks.

Pure, and light to import: the process that reads hostile bytes imports nothing else of ours that is not as plain.
`Parsed.text[part.start:part.end] == part.text` holds for every part.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

BETWEEN = "\n\n"  # stands between two parts in the whole text


class Mark(StrEnum):
    """What a reader must know about a part before believing it."""

    HIDDEN = "hidden"  # a person looking at the document does not see it
    SPEAKER_NOTES = "speaker_notes"
    TABLE = "table"


class ReadingWarning(StrEnum):
    """What was noticed while reading that a person should know."""

    HIDDEN_TEXT = "hidden_text"
    INVISIBLE_CHARACTERS = "invisible_characters"
    SCRIPT_IGNORED = "script_ignored"
    MACROS_IGNORED = "macros_ignored"
    EXTERNAL_TEMPLATE_IGNORED = "external_template_ignored"
    EXTERNAL_CONTENT_IGNORED = "external_content_ignored"
    EMBEDDED_FILES_IGNORED = "embedded_files_ignored"
    PAGES_WITHOUT_TEXT = "pages_without_text"
    RECOGNISED_TEXT = "recognised_text"
    UNEVEN_ROWS = "uneven_rows"

    @property
    def sentence(self) -> str:
        """The same in plain words, for a page."""
        return _SENTENCES[self]


_SENTENCES = {
    ReadingWarning.HIDDEN_TEXT: "It contains text a reader does not see. That text is marked, and left out of answers.",
    ReadingWarning.INVISIBLE_CHARACTERS: "Invisible characters were taken out of its text.",
    ReadingWarning.SCRIPT_IGNORED: "It contains a script. The script was not run.",
    ReadingWarning.MACROS_IGNORED: "It contains macros. They were not run.",
    ReadingWarning.EXTERNAL_TEMPLATE_IGNORED: "It refers to a template elsewhere. The template was not loaded.",
    ReadingWarning.EXTERNAL_CONTENT_IGNORED: "It refers to content elsewhere. That content was not loaded.",
    ReadingWarning.EMBEDDED_FILES_IGNORED: "Files are embedded in it. They were not opened.",
    ReadingWarning.PAGES_WITHOUT_TEXT: "Some pages are pictures without text. They cannot be searched.",
    ReadingWarning.RECOGNISED_TEXT: "Its text was recognised from pictures by a program and may contain mistakes.",
    ReadingWarning.UNEVEN_ROWS: "Some rows of a table have more or fewer cells than its first row.",
}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one document may use. Past any of them it is refused, never cut."""

    pages: int = 2_000
    unpacked_bytes: int = 256 * 1024 * 1024  # of an archive, all members together
    characters: int = 8_000_000  # of text
    parts: int = 100_000
    seconds: int = 120  # of processor time; twice as long by the clock
    memory_bytes: int = 1024 * 1024 * 1024  # of address space
    depth: int = 64  # of elements or groups within each other


@dataclass(frozen=True, kw_only=True)
class Part:
    """One block of a document: a heading, a paragraph, some rows of a table.

    `page` counts from 1 and is None where the format has no pages (slides and sheets count as pages). `heading` is
    the path of headings above it, outermost first. `start` and `end` are offsets in `Parsed.text`.
    """

    ordinal: int
    text: str
    page: int | None
    heading: tuple[str, ...]
    start: int
    end: int
    marks: frozenset[Mark]

    @property
    def is_heading(self) -> bool:
        """Whether it is the heading itself: the last of its own path."""
        return bool(self.heading) and self.text == self.heading[-1]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part before it has its place: what the readers of the formats give."""

    text: str
    page: int | None = None
    heading: tuple[str, ...] = ()
    marks: frozenset[Mark] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A whole document as text. `pages` is None where the format has none."""

    parts: tuple[Part, ...]
    pages: int | None
    title: str | None
    warnings: tuple[ReadingWarning, ...]

    @cached_property
    def text(self) -> str:
        """The whole text; offsets of parts and pieces count in it."""
        return BETWEEN.join(part.text for part in self.parts)


def assembled(
    blocks: Iterable[Block], *, pages: int | None, title: str | None, warnings: Iterable[ReadingWarning] = ()
) -> Parsed:
    """The blocks in a row, each with its place. Blocks without text are left out."""
    parts: list[Part] = []
    at = 0
    for block in blocks:
        if not block.text:
            continue
        end = at + len(block.text)
        parts.append(
            Part(
                ordinal=len(parts),
                text=block.text,
                page=block.page,
                heading=block.heading,
                start=at,
                end=end,
                marks=block.marks,
            )
        )
        at = end + len(BETWEEN)
    return Parsed(parts=tuple(parts), pages=pages, title=title, warnings=tuple(dict.fromkeys(warnings)))
