"""Computes exact facts about a table: per column, per group, and the ratio of two columns.

Pure and deterministic: the same table gives the same facts in the same order. Sums are exact; means, medians and
ratios are rounded to ten places. What comes out is bounded, and no cell in it would be run by a spreadsheet.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from itertools import islice
from re import compile as pattern

from joule.kernel.errors import Invalid
from memory._delimited import Table
from memory._numerals import Mark, decimal_mark, is_missing, numeral
from memory.errors import NoSuchColumn
from memory.results import ColumnFacts, GroupFacts, Measure

MAX_COLUMNS = 40  # described at once
MAX_MEASURES = 8  # per group
MAX_GROUPS = 20  # told; past it the ten highest and the ten lowest
MAX_SHOWN = 80  # characters of a cell
_COMMON = 5
_EVIDENCE_CELLS = 50_000
_PRECISION = 200  # digits: more than a million cells of sixty characters can need
_PLACES = Decimal("1e-10")
_DAY = pattern(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was computed of one table."""

    columns: tuple[ColumnFacts, ...]
    ratio: str | None
    ranked_by: str
    groups: tuple[GroupFacts, ...]
    total_groups: int
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One column, read: `numbers[i]` is the number in row i, or None."""

    name: str
    cells: Sequence[str]
    numbers: Sequence[Decimal | None]
    units: frozenset[str]
    mark: Mark

    @property
    def is_summable(self) -> bool:
        """Money of two currencies, or percent and plain numbers, are not added up."""
        return len(self.units) == 1


def facts(
    table: Table,
    *,
    columns: Sequence[str] = (),
    group_by: str | None = None,
    numerator: str | None = None,
    denominator: str | None = None,
) -> Facts:
    """The facts asked for. Raises `NoSuchColumn`; `Invalid` for half a ratio or a ratio of what is no number."""
    if (numerator is None) != (denominator is None):
        raise Invalid("a ratio needs two columns", advice="Name both the numerator and the denominator.")
    with localcontext(prec=_PRECISION):
        default = decimal_mark(islice((cell for row in table.rows for cell in row), _EVIDENCE_CELLS)) or "."
        chosen = [_find(table, name) for name in columns] or list(range(len(table.header)))
        described = [_read(table, at, default) for at in dict.fromkeys(chosen[:MAX_COLUMNS])]
        over = [_read(table, _find(table, name), default) for name in (numerator, denominator) if name is not None]
        if any(not column.is_summable for column in over):
            raise Invalid("a ratio needs two columns of numbers", advice="Choose two columns whose kind is number.")
        key = _find(table, group_by) if group_by is not None else None
        measured = [c for c in described if c.is_summable and (key is None or c.name != table.header[key])]
        groups = _groups(table, key, measured[:MAX_MEASURES], over) if key is not None else []
        return Facts(
            columns=tuple(_describe(column) for column in described),
            ratio=_ratio(over, range(len(table.rows))),
            ranked_by="" if key is None else _ranking(measured, over),
            groups=tuple(
                groups if len(groups) <= MAX_GROUPS else groups[: MAX_GROUPS // 2] + groups[-MAX_GROUPS // 2 :]
            ),
            total_groups=len(groups),
            notes=table.notes + tuple(_notes(described, over, left_out=len(chosen) - len(described))),
        )


def shown(cell: str) -> str:
    """A cell as it may be shown: one short line that no spreadsheet would run."""
    line = " ".join(cell.split())
    line = line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"
    return f"'{line}" if line.startswith(_FORMULA) else line


def _find(table: Table, name: str) -> int:
    wanted = " ".join(name.split())
    for at, known in enumerate(table.header):
        if wanted in {known, shown(known)}:
            return at
    folded = [at for at, known in enumerate(table.header) if known.casefold() == wanted.casefold()]
    if len(folded) != 1:
        raise NoSuchColumn
    return folded[0]


def _read(table: Table, at: int, default: Mark) -> _Column:
    cells = [row[at] for row in table.rows]
    mark = decimal_mark(cells) or default
    read = [None if is_missing(cell) else numeral(cell, mark=mark) for cell in cells]
    return _Column(
        name=table.header[at],
        cells=cells,
        numbers=[None if one is None else one.value for one in read],
        units=frozenset(one.unit for one in read if one is not None),
        mark=mark,
    )


def _describe(column: _Column) -> ColumnFacts:
    present = [cell for cell in column.cells if not is_missing(cell)]
    numbers = sorted(number for number in column.numbers if number is not None)
    others = [
        cell
        for cell, number in zip(column.cells, column.numbers, strict=True)
        if number is None and not is_missing(cell)
    ]
    formulas = sum(cell.lstrip(" ").startswith(_FORMULA) for cell in others)
    kind = _kind(column, present, others, formulas)
    days = sorted(cell.strip() for cell in present) if kind == "date" else []
    summed = bool(numbers) and column.is_summable
    return ColumnFacts(
        name=shown(column.name),
        kind=kind,
        count=len(present),
        missing=len(column.cells) - len(present),
        numbers=len(numbers),
        formulas=formulas,
        distinct=len(set(present)),
        unit=next(iter(column.units)) if len(column.units) == 1 else "",
        sum=exact(sum(numbers, Decimal(0))) if summed else None,
        mean=rounded(sum(numbers, Decimal(0)) / len(numbers)) if summed else None,
        median=rounded((numbers[(len(numbers) - 1) // 2] + numbers[len(numbers) // 2]) / 2) if summed else None,
        minimum=exact(numbers[0]) if summed else days[0] if days else None,
        maximum=exact(numbers[-1]) if summed else days[-1] if days else None,
        most_common=_most_common(present) if kind in {"text", "mixed"} else (),
    )


def _kind(column: _Column, present: Sequence[str], others: Sequence[str], formulas: int) -> str:
    if not present:
        return "empty"
    if len(others) == len(present):
        return "date" if all(_DAY.fullmatch(cell.strip()) for cell in present) else "text"
    return "number" if len(others) == formulas and column.is_summable else "mixed"


def _most_common(present: Sequence[str]) -> tuple[tuple[str, int], ...]:
    counted = Counter(shown(cell) for cell in present)
    return tuple(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:_COMMON])


def _groups(table: Table, key: int, measured: Sequence[_Column], over: Sequence[_Column]) -> list[GroupFacts]:
    """All groups, highest first; those that cannot be ranked last; equal ones by name."""
    members: dict[str, list[int]] = {}
    for at, row in enumerate(table.rows):
        members.setdefault("" if is_missing(row[key]) else " ".join(row[key].split()), []).append(at)
    ranked: list[tuple[bool, Decimal, str, GroupFacts]] = []
    for value, rows in members.items():
        rank = _quotient(over, rows) if over else _sum(measured[0], rows) if measured else Decimal(len(rows))
        group = GroupFacts(
            value=shown(value) or "(missing)",
            rows=len(rows),
            measures=tuple(_measure(column, rows) for column in measured),
            ratio=_ratio(over, rows),
        )
        ranked.append((rank is None, -(rank or Decimal(0)), value, group))
    return [group for *_, group in sorted(ranked, key=lambda each: each[:3])]


def _measure(column: _Column, rows: Sequence[int]) -> Measure:
    numbers = [number for at in rows if (number := column.numbers[at]) is not None]
    total = sum(numbers, Decimal(0))
    mean = rounded(total / len(numbers)) if numbers else None
    return Measure(column=shown(column.name), count=len(numbers), sum=exact(total), mean=mean)


def _ranking(measured: Sequence[_Column], over: Sequence[_Column]) -> str:
    if over:
        return f"{shown(over[0].name)} / {shown(over[1].name)}"
    return f"sum of {shown(measured[0].name)}" if measured else "rows"


def _sum(column: _Column, rows: Sequence[int]) -> Decimal:
    return sum((number for at in rows if (number := column.numbers[at]) is not None), Decimal(0))


def _quotient(over: Sequence[_Column], rows: Sequence[int]) -> Decimal | None:
    if not over or not (below := _sum(over[1], rows)):
        return None
    return _sum(over[0], rows) / below


def _ratio(over: Sequence[_Column], rows: Sequence[int]) -> str | None:
    quotient = _quotient(over, rows)
    return None if quotient is None else rounded(quotient)


def _notes(described: Sequence[_Column], over: Sequence[_Column], *, left_out: int) -> list[str]:
    notes = []
    if left_out:
        notes.append(f"{left_out} more columns are not described; name the columns you want.")
    if any(column.mark == "," and any(column.numbers) for column in (*described, *over)):
        notes.append("Some numbers were read with a decimal comma.")
    if any(len(column.units) > 1 for column in described):
        notes.append("Columns that mix currencies, or percent and plain numbers, were not added up.")
    for column in described:
        others = [c for c, n in zip(column.cells, column.numbers, strict=True) if n is None and not is_missing(c)]
        formulas = sum(cell.lstrip(" ").startswith(_FORMULA) for cell in others)
        if formulas:
            notes.append(
                f"Column {shown(column.name)}: {formulas} cells look like spreadsheet formulas;"
                " they were taken as text, not computed, and are shown with ' before them."
            )
        if column.units and len(others) > formulas:
            notes.append(f"Column {shown(column.name)}: {len(others) - formulas} cells are not numbers.")
    return notes


def exact(number: Decimal) -> str:
    """A number as decimal text: no exponent, no needless zeros."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def rounded(number: Decimal) -> str:
    """The same, to at most ten places, half to even."""
    return exact(number.quantize(_PLACES, rounding=ROUND_HALF_EVEN))
