"""Reads numbers as they stand in tables: currencies, percent, decimal commas, thousands, accountants' brackets.

Pure and exact: `Decimal` throughout. `1.234` and `1,234` can be either kind; the rest of the column, then of the
table, decides, and failing both the point is the decimal mark.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Mark = Literal[".", ","]

_LONGEST = 60  # characters; no honest number is longer
_MISSING = frozenset(
    {"", "-", "--", "–", "—", "n/a", "na", "null", "none", "nan", "#n/a", "#div/0!", "#value!", "#ref!"}
)
_UNIT = r"(?:[$€£¥₹₽₺₩₪₫₴฿]|US\$|[A-Z]{3})"
_NUMERAL = re.compile(
    rf"(?P<open>\()?(?P<sign>[+\-−])?\s*(?P<before>{_UNIT})?\s*(?P<inner>[+\-−])?"
    rf"(?P<digits>\d[\d.,]*|[.,]\d+)(?P<power>[eE][+\-]?\d{{1,2}})?\s*(?P<after>%|{_UNIT})?(?P<close>\))?"
)
_DIGIT = re.compile(r"[0-9]")
_SPACED = re.compile(r"(?<=\d)[ '’\u00a0\u202f\u2009](?=\d{3}(?!\d))")
_GROUPED = {
    ".": re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?"),
    ",": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d*)?"),
}


@dataclass(frozen=True, kw_only=True)
class Numeral:
    """A number with the unit it was written with (`€`, `USD`, `%` or nothing)."""

    value: Decimal
    unit: str


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.strip().casefold() in _MISSING


def decimal_mark(cells: Iterable[str]) -> Mark | None:
    """Which sign stands before the decimals in these cells, as far as they tell; None when they do not."""
    points = commas = 0
    for cell in cells:
        if "." not in cell and "," not in cell:
            continue
        found = _match(cell)
        mark = _evidence(found["digits"]) if found else None
        points += mark == "."
        commas += mark == ","
    if points == commas:
        return None
    return "." if points > commas else ","


def numeral(cell: str, *, mark: Mark) -> Numeral | None:
    """The number in a cell, or None if it is something else. `mark` settles what alone could be either."""
    if cell.isdigit() and cell.isascii() and len(cell) <= _LONGEST:
        return Numeral(value=Decimal(cell), unit="")
    found = _match(cell)
    if found is None or (found["open"] is None) != (found["close"] is None):
        return None
    if (found["sign"] and found["inner"]) or (found["before"] and found["after"]):
        return None
    digits = _plain(found["digits"], _evidence(found["digits"]) or mark)
    if digits is None:
        return None
    value = Decimal(digits + (found["power"] or ""))
    negative = (found["sign"] or found["inner"] or "+") in "-−" or found["open"] is not None
    return Numeral(value=-value if negative else value, unit=found["before"] or found["after"] or "")


def _match(cell: str) -> re.Match[str] | None:
    text = cell.strip()
    if len(text) > _LONGEST or not _DIGIT.search(text):
        return None
    return _NUMERAL.fullmatch(_SPACED.sub("", text)) if text.isascii() else _NUMERAL.fullmatch(_ascii(text))


def _ascii(text: str) -> str:
    spaced = _SPACED.sub("", text)
    return "" if any(sign.isdigit() and not sign.isascii() for sign in spaced) else spaced.replace("\u00a0", " ")


def _evidence(digits: str) -> Mark | None:
    """What one number alone tells about its decimal mark."""
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rfind(".") > digits.rfind(",") else ","
    if points > 1 or commas > 1:
        return "," if points else "."
    if not points and not commas:
        return None
    whole, part = re.split(r"[.,]", digits)
    if len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0"):
        return None  # thousands, or three decimals
    return "." if points else ","


def _plain(digits: str, mark: Mark) -> str | None:
    """The digits with a point before the decimals and nothing else; None when the grouping is not one."""
    other = "," if mark == "." else "."
    if other in digits:
        if not _GROUPED[mark].fullmatch(digits):
            return None
        digits = digits.replace(other, "")
    if digits.count(mark) > 1:
        return None
    return digits.replace(mark, ".")
