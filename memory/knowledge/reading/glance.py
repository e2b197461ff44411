"""Previews of files nobody here trusts: the first rows of a workbook, the first page of a PDF as a picture.

The file is opened in a process that can do nothing else. What comes back is checked as an attacker's; a picture is packed
here, from plain pixels, so that no byte of its format is anybody else's.
"""

import asyncio
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from memory.kinds import MediaType
from memory.knowledge.reading._answer import cleaned
from memory.knowledge.reading.errors import Broken, unreadable
from memory.knowledge.reading.model import Limits
from memory.knowledge.reading.parse import Reader

PROGRAM = Path(__file__).with_name("_child_glance.py")
LIMITS = Limits(seconds=10, characters=1_200_000, parts=1, pages=5_000)  # its answer is six megabytes at most
_LINE, _CELLS, _ROWS, _SHEETS, _PIXELS = 500, 40, 60, 5, 2_000


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The beginning of one sheet. `more`: there are more rows or columns than these."""

    name: str
    rows: tuple[tuple[str, ...], ...]
    more: bool


@dataclass(frozen=True, kw_only=True)
class Workbook:
    """The first sheets of a workbook, and how many more there are."""

    sheets: tuple[Sheet, ...]
    more_sheets: int


@dataclass(frozen=True, kw_only=True)
class FirstPage:
    """The first page of a PDF as a picture, and how many pages there are."""

    pages: int
    png: bytes = field(repr=False)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Failed(_Strict):
    error: Annotated[str, Field(max_length=80)]


class _Sheet(_Strict):
    name: Annotated[str, Field(max_length=_LINE)]
    rows: Annotated[
        list[Annotated[list[Annotated[str, Field(max_length=_LINE)]], Field(max_length=_CELLS)]],
        Field(max_length=_ROWS),
    ]
    more: bool
    wide: bool


class _Workbook(_Strict):
    sheets: Annotated[list[_Sheet], Field(max_length=_SHEETS)]
    more_sheets: Annotated[int, Field(ge=0, le=10_000)]


class _Page(_Strict):
    pages: Annotated[int, Field(ge=1, le=1_000_000)]
    width: Annotated[int, Field(ge=1, le=_PIXELS)]
    height: Annotated[int, Field(ge=1, le=_PIXELS)]


_BOOK: TypeAdapter[_Workbook | _Failed] = TypeAdapter(_Workbook | _Failed)
_PAGE: TypeAdapter[_Page | _Failed] = TypeAdapter(_Page | _Failed)


class Glancer(Reader):
    """Glances at files, at most `at_once` of them at the same time in this process."""

    def __init__(self, *, at_once: int = 2, program: Path = PROGRAM) -> None:
        super().__init__(at_once=at_once, program=program)

    async def workbook(self, content: bytes) -> Workbook:
        """The beginning of a workbook. Raises a leaf of `Unreadable`, or `ReadingUnavailable`."""
        head, _ = await self._glanced(content, MediaType.XLSX)
        return _book(head)

    async def first_page(self, content: bytes) -> FirstPage:
        """The first page of a PDF. Raises a leaf of `Unreadable`, or `ReadingUnavailable`."""
        head, pixels = await self._glanced(content, MediaType.PDF)
        return await asyncio.to_thread(_page, head, pixels)

    async def _glanced(self, content: bytes, kind: MediaType) -> tuple[bytes, bytes]:
        async with self._free:
            answer = await self._asked(content, kind, LIMITS)
        head, _, more = answer.partition(b"\n")
        return head, more


def _book(head: bytes) -> Workbook:
    try:
        told = _BOOK.validate_json(head)
    except (ValidationError, ValueError, RecursionError):
        raise Broken from None
    if isinstance(told, _Failed):
        raise unreadable(told.error)
    sheets = []
    for each in told.sheets:
        wide = max(map(len, each.rows), default=0)
        rows = [tuple(_line(cell) for cell in row) + ("",) * (wide - len(row)) for row in each.rows]
        sheets.append(Sheet(name=_line(each.name), rows=tuple(rows), more=each.more or each.wide))
    return Workbook(sheets=tuple(sheets), more_sheets=told.more_sheets)


def _page(head: bytes, pixels: bytes) -> FirstPage:
    try:
        told = _PAGE.validate_json(head)
    except (ValidationError, ValueError, RecursionError):
        raise Broken from None
    if isinstance(told, _Failed):
        raise unreadable(told.error)
    if len(pixels) != 3 * told.width * told.height:
        raise Broken
    return FirstPage(pages=told.pages, png=_png(told.width, told.height, pixels))


def _line(text: str) -> str:
    return " ".join(cleaned(text).split())


def _png(width: int, height: int, pixels: bytes) -> bytes:
    row = 3 * width
    lines = b"".join(b"\0" + pixels[at : at + row] for at in range(0, len(pixels), row))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines, 3)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
