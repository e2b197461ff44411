"""Looks at the beginning of an Excel workbook: the first rows of its first sheets, as a person would see them.

Only what is shown: hidden sheets are left out. Formulas are not calculated; one that never was is shown as it is written.
"""

import io
import zipfile
from itertools import islice
from typing import Any

import openpyxl  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

from memory.knowledge.reading import _archive
from memory.knowledge.reading._xlsx import _said, warm
from memory.knowledge.reading.errors import Broken
from memory.knowledge.reading.model import Limits

__all__ = ["glanced", "warm"]
SHEETS, ROWS, COLUMNS, CHARACTERS = 3, 51, 30, 200


def glanced(content: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    """The beginnings of the first sheets."""
    _archive.looked_over(content, limits)
    try:
        values, written = (
            openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=known, keep_links=False)
            for known in (True, False)
        )
        sheets = [each for each in values.worksheets if each.sheet_state == "visible"]
        shown = [_sheet(each, written[each.title]) for each in sheets[:SHEETS]]
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, TypeError, SyntaxError) as problem:
        raise Broken from problem
    return {"sheets": shown, "more_sheets": max(len(sheets) - SHEETS, 0)}, b""


def _sheet(sheet: Any, written: Any) -> dict[str, Any]:
    sheet.reset_dimensions()  # what a sheet says of its own size may be anything
    written.reset_dimensions()
    rows, wide = [], False
    for known, formula in islice(zip(sheet.iter_rows(), written.iter_rows(), strict=False), ROWS + 1):
        wide = wide or len(known) > COLUMNS
        rows.append([_cell(*pair) for pair in islice(zip(known, formula, strict=False), COLUMNS)])
    while rows and not any(rows[-1]):
        rows.pop()
    return {"name": str(sheet.title)[:CHARACTERS], "rows": rows[:ROWS], "more": len(rows) > ROWS, "wide": wide}


def _cell(known: Any, formula: Any) -> str:
    said = _said(known) or ("" if formula.value is None else str(formula.value))
    return " ".join(said.split())[:CHARACTERS]
