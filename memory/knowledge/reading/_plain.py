"""Reads text people typed or programs wrote: plain text, Markdown, JSON, and tables as CSV.

Pure. Headings of Markdown are headings; what Markdown hides (comments) is marked as hidden; a form feed ends a page.
"""

import re
from collections.abc import Iterator, Sequence

from memory import _delimited
from memory._content import decode
from memory.errors import NotATable, NotText, TooMuch
from memory.kinds import MediaType
from memory.knowledge.reading.errors import Broken, TooLong, TooManyPages
from memory.knowledge.reading.model import Block, Limits, Mark, Parsed, ReadingWarning, assembled

ROWS = 900  # characters of rows in one part
HIDDEN = frozenset({Mark.HIDDEN})
TABLE = frozenset({Mark.TABLE})

_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*$")
_UNDERLINED = re.compile(r"^[^\n|]{1,200}\n {0,3}(=+|-{3,})[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)|^\[//\]: # [(\"'](.*?)[)\"'][ \t]*$", re.DOTALL | re.MULTILINE)


def warm(limits: Limits) -> None:
    """Bring in every encoding that is tried."""
    for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"):
        "ä".encode(codec).decode(codec)
    read(b"a,b\n1,2\n", limits, MediaType.CSV)


def read(content: bytes, limits: Limits, kind: MediaType) -> Parsed:
    """The text in its paragraphs, or the table in its rows."""
    try:
        text, _ = decode(content)
    except NotText:
        raise Broken from None
    if len(text) > limits.characters:
        raise TooLong
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if kind is MediaType.CSV:
        return _table(text, limits)
    if kind is MediaType.MARKDOWN:
        return assembled(_markdown(text), pages=None, title=None)
    return _paged(text, limits)


def rows(header: Sequence[str], lines: Iterator[Sequence[str]]) -> Iterator[str]:
    """Rows of a table as text, some in each: every cell behind the name of its column, so that a row speaks for itself."""
    held: list[str] = []
    size = 0
    for line in lines:
        said = "; ".join(
            f"{name}: {value}" if name else value
            for name, cell in zip((*header, *("",) * (len(line) - len(header))), line, strict=False)
            if (value := " ".join(cell.split()))
        )
        if held and size + len(said) > ROWS:
            yield "\n".join(held)
            held, size = [], 0
        if said:
            held.append(said)
            size += len(said) + 1
    if held:
        yield "\n".join(held)


def _table(text: str, limits: Limits) -> Parsed:
    try:
        table = _delimited.read(text)
    except TooMuch:
        raise TooLong from None
    except NotATable:
        return _paged(text, limits)  # it is still text
    warnings = [ReadingWarning.UNEVEN_ROWS] if any("rows have" in note for note in table.notes) else []
    if not table.rows:
        return assembled([Block(text="; ".join(table.header), marks=TABLE)], pages=None, title=None)
    blocks = (Block(text=held, marks=TABLE) for held in rows(table.header, iter(table.rows)))
    return assembled(blocks, pages=None, title=None, warnings=warnings)


def _paged(text: str, limits: Limits) -> Parsed:
    pages = text.split("\f")
    if len(pages) > limits.pages:
        raise TooManyPages
    numbered = len(pages) > 1
    blocks = (
        Block(text=paragraph.strip(), page=number if numbered else None)
        for number, page in enumerate(pages, 1)
        for paragraph in _PARAGRAPHS.split(page)
    )
    return assembled(blocks, pages=len(pages) if numbered else None, title=None)


def _markdown(text: str) -> Iterator[Block]:
    path: list[tuple[int, str]] = []
    for block, fenced in _blocks(text):
        heading = None if fenced else _heading(block)
        if heading:
            path = [*((level, title) for level, title in path if level < heading[0]), heading]
            yield Block(text=heading[1], heading=tuple(title for _, title in path))
            continue
        place = tuple(title for _, title in path)
        if fenced:
            yield Block(text=block, heading=place)
            continue
        hidden = "\n".join(filter(None, (a.strip() or b.strip() for a, b in _COMMENT.findall(block))))
        marks = TABLE if all(line.lstrip().startswith("|") for line in block.splitlines()) else frozenset()
        yield Block(text=_COMMENT.sub("", block).strip(), heading=place, marks=marks)
        yield Block(text=hidden, heading=place, marks=HIDDEN)


def _heading(block: str) -> tuple[int, str] | None:
    marked = _HEADING.match(block)
    if marked:
        title = marked.group(2).strip()
        return (len(marked.group(1)), title) if title else None
    under = _UNDERLINED.match(block)
    return (1 if under.group(1).startswith("=") else 2, block.split("\n")[0].strip()) if under else None


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Paragraphs, headings each by itself, whole comments and whole fenced blocks (True)."""
    held: list[str] = []
    fence = ""
    commented = False
    for line in text.split("\n"):
        if fence:
            held.append(line)
            if line.strip().startswith(fence):
                yield "\n".join(held).strip("\n"), True
                held, fence = [], ""
            continue
        opened = None if commented else _FENCE.match(line)
        alone = not commented and (opened or not line.strip() or _HEADING.match(line))
        if alone and held:
            yield "\n".join(held).strip(), False
            held = []
        if opened:
            held, fence = [line], opened.group(1)
        elif commented or not alone:
            held.append(line)
            if line.rfind("<!--") > line.rfind("-->"):
                commented = True
            elif "-->" in line:
                commented = False
            if not commented and len(held) == 2 and _UNDERLINED.match("\n".join(held)):
                yield "\n".join(held), False
                held = []
        elif line.strip():
            yield line.strip(), False
    if held:
        yield "\n".join(held).strip(), bool(fence)
