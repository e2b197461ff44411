"""Reads delimited tables (CSV and its relatives) as people's programs really write them.

Pure. A table that cannot be read without guessing raises `NotATable` and says where; no cell is ever run or quoted.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from memory.errors import NotATable, TooMuch

DELIMITERS = (",", ";", "\t", "|")
MAX_CELLS = 1_000_000
_SAMPLE_CHARACTERS = 65_536
_SAMPLE_ROWS = 50


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a header. Every row is as wide as the header; what was done for that is in `notes`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    delimiter: str
    notes: tuple[str, ...]


def read(text: str) -> Table:
    """The table in `text`. Raises `NotATable` or `TooMuch`."""
    delimiter, body = _announced(text)
    delimiter = delimiter or delimiter_of(body)
    rows: list[list[str]] = []
    cells = blank = 0
    for row in _rows(body, delimiter):
        if not any(cell.strip() for cell in row):
            blank += bool(row)
            continue
        cells += len(row)
        if cells > MAX_CELLS:
            raise TooMuch(
                f"the table has more than {MAX_CELLS:,} cells", advice="Upload only the columns and rows you need."
            )
        rows.append(row)
    if not rows:
        raise NotATable("the table is empty", advice="Upload a file with a row of column names and rows below it.")
    notes = [f"{blank} empty rows were left out."] if blank else []
    header = _header(rows.pop(0))
    return Table(header=header, rows=_squared(rows, len(header), notes), delimiter=delimiter, notes=tuple(notes))


def delimiter_of(text: str) -> str:
    """The sign between cells: the one that makes most rows as wide as the first."""
    best = max(((*_shape(text, delimiter), -place), delimiter) for place, delimiter in enumerate(DELIMITERS))
    return best[1]


def looks_delimited(text: str) -> bool:
    """Whether text is a table rather than prose: several rows, all as wide as the first, two cells or more."""
    if text.startswith(("#", "|", "- ", "* ", ">")):
        return False
    delimiter = delimiter_of(text)
    rows = _sample(text, delimiter)
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    even = sum(len(row) == len(rows[0]) for row in rows)
    spaced = sum(cell.startswith(" ") for row in rows for cell in row[1:])  # commas of prose have a blank behind them
    return even * 10 >= len(rows) * 9 and spaced * 2 < sum(len(row) - 1 for row in rows)


def _announced(text: str) -> tuple[str | None, str]:
    """Excel's own first line `sep=;`, taken off."""
    first, _, rest = text.partition("\n")
    if first.strip().lower()[:4] == "sep=" and len(first.strip("\r\n")) == 5:
        return first[4], rest
    return None, text


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as problem:
        if "field larger" in str(problem):
            raise NotATable(
                f"a cell near line {reader.line_num} is longer than {csv.field_size_limit():,} characters",
                advice="Shorten that cell, or leave its column out, and upload the table again.",
            ) from None
        raise NotATable(
            f"the quotation marks around line {reader.line_num} do not match",
            advice="Correct that line (a mark inside a cell is written twice) and upload the table again.",
        ) from None


def _sample(text: str, delimiter: str) -> list[list[str]]:
    head = text[:_SAMPLE_CHARACTERS]
    if len(text) > len(head):
        head = head[: head.rfind("\n") + 1] or head
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    with suppress(csv.Error):  # what was read so far is enough to tell
        rows.extend(row for row in islice(reader, _SAMPLE_ROWS) if row)
    return rows


def _shape(text: str, delimiter: str) -> tuple[bool, bool, int]:
    rows = _sample(text, delimiter)
    if not rows:
        return False, False, 0
    width, often = Counter(len(row) for row in rows).most_common(1)[0]
    return width > 1 and len(rows[0]) == width, width > 1 and often * 10 >= len(rows) * 8, width


def _header(first: list[str]) -> tuple[str, ...]:
    """Names for all columns: no name is empty, none stands twice."""
    names: list[str] = []
    taken: set[str] = set()
    for at, cell in enumerate(first, 1):
        name = " ".join(cell.split()) or f"column {at}"
        number = 1
        unique = name
        while unique.casefold() in taken:
            number += 1
            unique = f"{name} ({number})"
        taken.add(unique.casefold())
        names.append(unique)
    return tuple(names)


def _squared(rows: list[list[str]], width: int, notes: list[str]) -> tuple[tuple[str, ...], ...]:
    short = sum(len(row) < width for row in rows)
    long = sum(any(cell.strip() for cell in row[width:]) for row in rows)
    if short:
        notes.append(f"{short} rows have fewer cells than the first row; the rest count as missing.")
    if long:
        notes.append(f"{long} rows have more cells than the first row; the extra cells were left out.")
    return tuple(tuple(row[:width]) + ("",) * (width - len(row)) for row in rows)
