"""Reads Excel workbooks: sheets as pages, rows as text with the names of their columns, values as last calculated.

Hidden sheets, rows and columns are kept apart and marked. Formulas are not calculated and links not followed.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

from memory.kinds import MediaType
from memory.knowledge.reading import _archive
from memory.knowledge.reading._plain import rows
from memory.knowledge.reading.errors import Broken, TooLong, TooManyPages
from memory.knowledge.reading.model import Block, Limits, Mark, Parsed, assembled

_TABLE, _HIDDEN = frozenset({Mark.TABLE}), frozenset({Mark.TABLE, Mark.HIDDEN})
_ROW = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}row"
_COLUMN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}col"
_HIDDEN_WORD = re.compile(rb"""\bhidden\s*=\s*["'](?:1|true)["']""")
_MOST_CELLS = 2_000_000
_Row = list[str]


def warm(limits: Limits) -> None:
    """Read a workbook of two cells."""
    file = io.BytesIO()
    made = openpyxl.Workbook()
    made.active.append(["a", date(2030, 1, 31)])
    made.active.row_dimensions[1].hidden = True
    made.save(file)
    read(file.getvalue(), limits, MediaType.XLSX)


def read(content: bytes, limits: Limits, kind: MediaType) -> Parsed:
    """The cells of all sheets."""
    warnings = _archive.looked_over(content, limits)
    try:
        workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        if len(workbook.worksheets) > limits.pages:
            raise TooManyPages
        cells = _Cells(content, limits)
        blocks = [
            block for number, sheet in enumerate(workbook.worksheets, 1) for block in _sheet(sheet, number, cells)
        ]
        title = (workbook.properties.title or "").strip() or None
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError) as problem:
        raise Broken from problem
    return assembled(blocks, pages=len(workbook.worksheets), title=title, warnings=sorted(warnings))


class _Cells:
    """Gives the cells of sheets as text, and counts them."""

    def __init__(self, content: bytes, limits: Limits) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        self._limits = limits
        self._count = self._characters = 0

    def of(self, sheet: Any) -> Iterator[tuple[bool, _Row]]:
        """Rows that say something, each with whether it is hidden; hidden columns are rows of their own after it."""
        hidden_rows, hidden_columns = self._hidden(sheet)
        sheet.reset_dimensions()  # what a sheet says of its own size may be anything
        for number, row in enumerate(sheet.iter_rows(), 1):
            said = [_said(cell) for cell in row]
            self._count += len(said)
            self._characters += sum(map(len, said))
            if self._count > _MOST_CELLS or self._characters > self._limits.characters:
                raise TooLong
            apart = ["" if at not in hidden_columns else cell for at, cell in enumerate(said, 1)]
            shown = [cell if at not in hidden_columns else "" for at, cell in enumerate(said, 1)]
            if any(shown):
                yield number in hidden_rows, shown
            if any(apart):
                yield True, apart

    def _hidden(self, sheet: Any) -> tuple[set[int], set[int]]:
        """Numbers of hidden rows and columns; the library does not tell them when it reads in a stream."""
        try:
            source = self._archive.read(sheet._worksheet_path)
        except KeyError:
            return set(), set()
        if not _HIDDEN_WORD.search(source):
            return set(), set()
        found_rows: set[int] = set()
        columns: set[int] = set()
        at = 0
        for _, element in etree.iterparse(io.BytesIO(source), tag=(_ROW, _COLUMN), resolve_entities=False):
            off = element.get("hidden") in {"1", "true"}
            if element.tag == _ROW:
                at = int(element.get("r") or at + 1)
                found_rows |= {at} if off else set()
            elif off:
                columns |= set(range(int(element.get("min", 0)), min(int(element.get("max", 0)), 16_384) + 1))
            element.clear()
        return found_rows, columns


def _sheet(sheet: Any, number: int, cells: _Cells) -> Iterator[Block]:
    heading = (" ".join(sheet.title.split()),)
    out = sheet.sheet_state != "visible"
    shown: list[_Row] = []
    apart: list[_Row] = []
    for hidden, row in cells.of(sheet):
        (apart if hidden or out else shown).append(row)
    if not shown and not apart:
        return
    above, header, body = _parted(shown or apart)
    marks = _TABLE if shown else _HIDDEN
    yield Block(text=heading[0], page=number, heading=heading, marks=frozenset({Mark.HIDDEN}) if out else frozenset())
    yield Block(text="\n".join(above), page=number, heading=heading, marks=marks - _TABLE)
    if header and not body:
        yield Block(text="; ".join(filter(None, header)), page=number, heading=heading, marks=marks)
    for text in rows(header, iter(body)):
        yield Block(text=text, page=number, heading=heading, marks=marks)
    for text in rows(header, iter(apart if shown else [])):
        yield Block(text=text, page=number, heading=heading, marks=_HIDDEN)


def _parted(table: list[_Row]) -> tuple[list[str], _Row, list[_Row]]:
    """Lines above the table, the names of its columns, and its rows. Without names, all is rows."""
    above: list[str] = []
    for at, row in enumerate(table):
        filled = [cell for cell in row if cell]
        if len(filled) == 1 and at < 10 and at + 1 < len(table):
            above.append(filled[0])
            continue
        if len(filled) > 1 and not any(_is_figure(cell) for cell in filled):
            return above, row, table[at + 1 :]
        return above, [], table[at:]
    return above, [], []


def _is_figure(cell: str) -> bool:
    return cell[:1].isdigit() or (cell[:1] in "-+" and cell[1:2].isdigit())


def _said(cell: Any) -> str:
    """A cell's value the way a person would write it."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        with suppress(IndexError, AttributeError):
            if "%" in cell.number_format:
                return f"{value * 100:.6g}%"
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return " ".join(str(value).split())
