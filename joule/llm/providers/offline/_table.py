"""Reads the facts of a table as a marketer would: which column is spend, which is revenue, what to compare by.

Pure. Every figure comes from the statistics tool; nothing is estimated here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from joule.llm.providers.offline._desk import Outcome
from joule.llm.providers.offline._words import plain, stem

_ROLES = {
    "spend": r"spend|spent|costs?|budget|expenses?|investment",
    "revenue": r"revenues?|income|turnover|gmv|earnings|sales|conversion value|value",
    "conversions": r"conversions?|orders?|purchases?|sign ?ups?|leads?|subscriptions?|bookings?|installs?|registrations?",
    "clicks": r"clicks?|visits?|sessions?",
    "impressions": r"impressions?|views?|reach|sends?|sent|delivered|recipients?",
    "opens": r"opens?|opened",
}
_RATE = re.compile(
    r"\b(?:rate|ratio|per|avg|average|mean|ctr|cpc|cpa|cpm|roas|roi|share|percent|score|id|year|number)\b|%"
)
_COMPARED = (
    "channel",
    "medium",
    "source",
    "platform",
    "segment",
    "audience",
    "region",
    "country",
    "product",
    "category",
)
_EACH = ("campaign", "ad", "creative", "subject", "name", "title", "newsletter", "post")
_NOT_COMPARED = re.compile(r"\b(?:id|url|link|note|notes|comment|comments|description|email|e mail|phone)\b")
_UNITS = {"eur": "€", "euro": "€", "euros": "€", "usd": "$", "dollar": "$", "dollars": "$", "gbp": "£", "pounds": "£"}
MOST_COMPARED = 200  # distinct values beyond which comparing says nothing


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    kind: str
    distinct: int
    missing: int
    unit: str
    sum: Decimal | None
    mean: Decimal | None
    median: Decimal | None
    minimum: str
    maximum: str

    @property
    def is_number(self) -> bool:
        return self.sum is not None

    @property
    def spoken(self) -> str:
        """Its name as it is said, without the currency that stands before its figures anyway."""
        said = [each for each in plain(self.name).split() if each not in _UNITS]
        return " ".join(said) or plain(self.name)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The rows that share one value: sums by column name, and the score asked for."""

    value: str
    rows: int
    sums: Mapping[str, Decimal]
    means: Mapping[str, Decimal]
    ratio: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's facts."""

    name: str
    version: int
    rows: int
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    roles: Mapping[str, Column]  # spend, revenue, conversions, clicks, impressions, opens: those that are there

    def by_name(self, name: str) -> Column | None:
        return next((each for each in self.columns if each.name == name), None)

    def numbers(self) -> list[Column]:
        """The columns that can be added up."""
        return [each for each in self.columns if each.is_number]

    def compared_by(self) -> list[Column]:
        """Up to two columns worth comparing by: sorts such as the channel first, then single campaigns."""
        texts = [
            each
            for each in self.columns
            if each.kind == "text" and 2 <= each.distinct <= MOST_COMPARED and not _NOT_COMPARED.search(each.spoken)
        ]
        sorts = [each for word in _COMPARED for each in texts if word in each.spoken.split()]
        single = [each for word in _EACH for each in texts if word in each.spoken.split() and each not in sorts]
        rest = [each for each in texts if each.distinct < self.rows and each not in sorts and each not in single]
        chosen = [*sorts[:1], *single[:1]] or rest[:1] or texts[:1]
        return chosen[:2]


@dataclass(frozen=True, kw_only=True)
class Score:
    """What makes one group better than another: a sum, or the ratio of two sums."""

    name: str
    top: Column
    bottom: Column | None = None
    lower_is_better: bool = False

    def of(self, group: Group) -> Decimal | None:
        if self.bottom is None:
            return group.sums.get(self.top.name)
        return group.ratio

    def overall(self) -> Decimal | None:
        """The score of all rows together."""
        if self.bottom is None:
            return None
        return self.top.sum / self.bottom.sum if self.top.sum is not None and self.bottom.sum else None

    def best_first(self, groups: list[Group]) -> list[Group]:
        """The groups that have a score, best first; equal ones by name, so that the order is always the same."""
        scored = [(score, each) for each in groups if (score := self.of(each)) is not None]
        scored.sort(key=lambda pair: (pair[0] if self.lower_is_better else -pair[0], pair[1].value))
        return [each for _, each in scored]


_RATIOS = (
    ("return on spend", "revenue", "spend", False),
    ("cost per conversion", "spend", "conversions", True),
    ("conversion rate", "conversions", "clicks", False),
    ("click rate", "clicks", "impressions", False),
    ("open rate", "opens", "impressions", False),
    ("cost per click", "spend", "clicks", True),
)
RATIO_WORDS = (
    (r"\b(?:roas|roi|return(?:s|ed)?(?:\s+on)?)\b", "return on spend"),
    (r"\b(?:cpa|cpo|cpl|cost\s+per\s+(?:conversion|order|lead|acquisition|purchase|sign.?up))", "cost per conversion"),
    (r"\bconversion\s+rates?\b", "conversion rate"),
    (r"\b(?:ctr|click(?:.?through)?\s+rates?)\b", "click rate"),
    (r"\bopen\s+rates?\b", "open rate"),
    (r"\b(?:cpc|cost\s+per\s+click)", "cost per click"),
)


def ratio_named(table: Table, name: str) -> Score | None:
    """A ratio by its name, if the table has both of its columns."""
    for known, top, bottom, lower in _RATIOS:
        if known == name and top in table.roles and bottom in table.roles:
            return Score(name=known, top=table.roles[top], bottom=table.roles[bottom], lower_is_better=lower)
    return None


def main_score(table: Table) -> Score | None:
    """What most likely tells what worked: return first, then cost, then plain results; None without any number."""
    for name in ("return on spend", "cost per conversion"):
        if (score := ratio_named(table, name)) is not None:
            return score
    for role in ("revenue", "conversions"):
        if role in table.roles:
            return Score(name=table.roles[role].spoken, top=table.roles[role])
    for name in ("click rate", "open rate"):
        if (score := ratio_named(table, name)) is not None:
            return score
    numbers = [each for each in table.numbers() if not _RATE.search(each.spoken)] or table.numbers()
    return Score(name=numbers[0].spoken, top=numbers[0]) if numbers else None


def table_of(outcome: Outcome) -> Table:
    """The facts in a result of the statistics tool."""
    columns = tuple(_column(each) for each in outcome.rows("columns"))
    notes = outcome.values.get("notes")
    return Table(
        name=outcome.text("name"),
        version=_whole(outcome.values.get("version")),
        rows=_whole(outcome.values.get("rows")),
        columns=columns,
        notes=tuple(each for each in notes if isinstance(each, str)) if isinstance(notes, list) else (),
        roles=_roles(columns),
    )


def groups_of(outcome: Outcome) -> list[Group]:
    """The groups in a result of the statistics tool."""
    return [_group(each) for each in outcome.rows("groups")]


def mentioned(columns: list[Column], said: str) -> list[Column]:
    """The columns a sentence speaks of, by name or by part of a name; those said first go first."""
    stems = [stem(each) for each in plain(said).split()]
    found: list[tuple[int, int, Column]] = []
    for column in columns:
        parts = [stem(each) for each in column.spoken.split()]
        at = next((n for n in range(len(stems)) if parts and stems[n : n + len(parts)] == parts), None)
        if at is None:
            at = next((n for n, each in enumerate(stems) if len(each) > 3 and each in parts), None)
        if at is not None:
            found.append((at, -len(parts), column))
    return [column for _, _, column in sorted(found, key=lambda each: each[:2])]


def _roles(columns: tuple[Column, ...]) -> dict[str, Column]:
    taken: dict[str, Column] = {}
    for role, pattern in _ROLES.items():
        for column in columns:
            spoken = column.spoken
            fits = re.search(rf"\b(?:{pattern})\b", spoken) and not _RATE.search(spoken) and column.unit != "%"
            if column.is_number and fits and column not in taken.values():
                taken[role] = column
                break
    return taken


def _column(values: Mapping[str, Any]) -> Column:
    name = str(values.get("name") or "")
    return Column(
        name=name,
        kind=str(values.get("kind") or ""),
        distinct=_whole(values.get("distinct")),
        missing=_whole(values.get("missing")),
        unit=str(values.get("unit") or "") or _unit_in(name),
        sum=_decimal(values.get("sum")),
        mean=_decimal(values.get("mean")),
        median=_decimal(values.get("median")),
        minimum=str(values.get("minimum") or ""),
        maximum=str(values.get("maximum") or ""),
    )


def _group(values: Mapping[str, Any]) -> Group:
    rows = values.get("measures")
    measures = [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []
    sums = {str(each.get("column")): value for each in measures if (value := _decimal(each.get("sum"))) is not None}
    means = {str(each.get("column")): value for each in measures if (value := _decimal(each.get("mean"))) is not None}
    return Group(
        value=" ".join(str(values.get("value") or "").split()) or "(empty)",
        rows=_whole(values.get("rows")),
        sums=sums,
        means=means,
        ratio=_decimal(values.get("ratio")),
    )


def _unit_in(name: str) -> str:
    return next((_UNITS[each] for each in plain(name).split() if each in _UNITS), "")


def _decimal(value: Any) -> Decimal | None:
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 40 else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
