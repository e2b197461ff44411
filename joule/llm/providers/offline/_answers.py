"""Answers a question about a table: what to ask of the statistics tool, and how to say what it found.

Pure. `Inquiry` is read from the question and the table's columns; a column nobody named is never made up.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from joule.llm.providers.offline._figures import scored, short_score, summed
from joule.llm.providers.offline._prose import bold, overview, shown
from joule.llm.providers.offline._table import (
    RATIO_WORDS,
    Column,
    Group,
    Score,
    Table,
    main_score,
    mentioned,
    ratio_named,
)
from joule.llm.providers.offline._words import counted, key_words, plain

Kind = Literal["overview", "rows", "sum", "mean", "median", "minimum", "maximum", "best", "worst"]

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"\b(?:how\s+many|number\s+of)\s+(?:rows|lines|entries|records)\b", "rows"),
    (r"\bmedian\b", "median"),
    (r"\b(?:average|mean)\b", "mean"),
    (r"\b(?:worst|lowest|least|bottom|weakest|fewest|cheapest)\b", "worst"),
    (r"\b(?:best|highest|most|top|strongest|greatest|biggest|largest)\b", "best"),
    (r"\b(?:minimum|min|smallest)\b", "minimum"),
    (r"\b(?:maximum|max)\b", "maximum"),
    (r"\b(?:total|sum|overall|altogether|how\s+much|how\s+many|add\s+up)\b", "sum"),
)
_EXPLAINED = set(
    key_words(
        "how much many total sum overall altogether average mean spend spent cost budget paid revenue income sales earn"
        " earned earnings turnover brought conversion converted order purchase lead sign click impression view reach"
        " calculate compute find show give tell get rate return roas roi ctr cpa cpc per number figure money all file"
        " table csv data please number"
    )
)


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What a question asks: a kind of figure, of these columns or by this score, by this column."""

    kind: Kind
    columns: tuple[Column, ...]
    score: Score | None
    by: Column | None
    most: int


def inquiry(question: str, table: Table) -> Inquiry:
    """The question, in terms of the table."""
    said = plain(question)
    kind: Kind = next((kind for pattern, kind in _KINDS if re.search(pattern, said)), "overview")
    numbers = mentioned(table.numbers(), said) or by_role(table, said)
    name = next((name for pattern, name in RATIO_WORDS if re.search(pattern, said)), "")
    ratio = ratio_named(table, name) if name else None
    by = _by(table, question, needed=kind in {"best", "worst"})
    top = re.search(r"\b(?:top|best|worst|bottom)\s+(\d{1,2})\b", said)
    score = ratio or (Score(name=numbers[0].spoken, top=numbers[0]) if numbers else None)
    if score is None and kind in {"best", "worst"}:
        score = main_score(table)
    if by is not None and kind == "overview":
        kind, score = "best", score or main_score(table)
    return Inquiry(
        kind=kind,
        columns=tuple(each for each in numbers if by is None or each.name != by.name),
        score=score,
        by=by,
        most=max(1, min(int(top[1]), 20)) if top else 0,
    )


def answer(asked: Inquiry, table: Table, groups: list[Group]) -> str:
    """The answer in words, with the figures it rests on."""
    if asked.kind == "rows":
        return f"`{table.name}` has {counted(table.rows, 'row')} and {counted(len(table.columns), 'column')}."
    if not table.numbers():
        return f"`{table.name}` has no column of numbers, so there is nothing to compute."
    if asked.by is not None and groups:
        return _by_group(asked, table, groups)
    ratio = asked.score if asked.score is not None and asked.score.bottom is not None else None
    if ratio is not None and (value := ratio.overall()) is not None:
        return (
            f"Over all of `{table.name}` the {ratio.name} is {bold(short_score(ratio, value))}: {scored(ratio, value)}."
        )
    if not asked.columns or asked.kind == "overview":
        chosen = "" if asked.columns else f" It has these columns: {_names(table)}."
        return f"The figures of `{table.name}`, from {counted(table.rows, 'row')}:\n\n{overview(table)}\n\n{chosen.strip()}".strip()
    return " ".join(_figure(asked.kind, each, table) for each in asked.columns[:4])


def narrowed(asked: Inquiry, question: str, table: Table) -> bool:
    """Whether the question may speak of some rows only (`What did we spend on Email?`), by words left unexplained."""
    known = set(key_words(" ".join(each.name for each in table.columns)))
    left = set(key_words(question)) - known - _EXPLAINED
    return asked.by is None and asked.kind in {"sum", "mean"} and bool(left) and bool(table.numbers())


def answer_narrowed(asked: Inquiry, question: str, table: Table, groups: list[tuple[Column, Group]]) -> str:
    """The figure of the one group the question names; of all rows, and saying so, when it names none."""
    stems = set(key_words(question))
    fits = [(by, each) for by, each in groups if (keys := set(key_words(each.value))) and keys <= stems]
    fits.sort(key=lambda pair: (-len(key_words(pair[1].value)), pair[1].value))
    if not fits:
        return f"{answer(asked, table, [])} That is over all {counted(table.rows, 'row')}."
    by, group = fits[0]
    where = f"{bold(group.value)} ({by.spoken}) in `{table.name}`"
    if asked.score is not None and asked.score.bottom is not None:
        return f"The {asked.score.name} of {where} is {bold(short_score(asked.score, asked.score.of(group)))}."
    columns = asked.columns or ((asked.score.top,) if asked.score else ())
    mean = asked.kind == "mean"
    return " ".join(
        f"The {'average' if mean else 'total'} {each.spoken} of {where} is "
        f"{bold(summed(each, (group.means if mean else group.sums).get(each.name)))}."
        for each in columns[:4]
    )


def by_role(table: Table, said: str) -> list[Column]:
    """The columns a sentence means by what they are: `What did we spend?` asks for the column of costs, whatever it is called."""
    synonyms = {
        "spend": r"\b(?:spen[dt]|costs?|budget|paid)\b",
        "revenue": r"\b(?:revenue|income|sales|earn(?:ed|ings)?|turnover|brought\s+in)\b",
        "conversions": r"\b(?:conver\w+|orders?|purchases?|leads?|sign\s*ups?)\b",
        "clicks": r"\bclick\w*\b",
        "impressions": r"\b(?:impressions?|views?|reach)\b",
    }
    return [table.roles[role] for role, pattern in synonyms.items() if role in table.roles and re.search(pattern, said)]


def _by(table: Table, question: str, *, needed: bool) -> Column | None:
    words = [each for each in table.columns if not each.is_number]
    spoken = re.search(r"\b(?:by|per|for\s+each|each|every|across)\s+([\w ]{2,40})", question, re.IGNORECASE)
    if spoken and (found := mentioned(words, " ".join(spoken[1].split()[:3]))):
        return found[0]
    if needed:
        found = mentioned(words, question)
        return found[0] if found else next(iter(table.compared_by()), None)
    return None


def _by_group(asked: Inquiry, table: Table, groups: list[Group]) -> str:
    score, by = asked.score or main_score(table), asked.by
    if score is None or by is None:
        return f"There is nothing to compare by in `{table.name}`."
    if asked.kind in {"mean", "median"} and score.bottom is None:
        rows = [(each.value, each.means.get(score.top.name)) for each in groups]
        lines = [f"- {bold(value)}: {summed(score.top, mean)}" for value, mean in rows[:20]]
        return f"The average {score.top.spoken} by {by.spoken} in `{table.name}`:\n\n" + "\n".join(lines)
    ranked = score.best_first(groups)
    if asked.kind == "worst":
        ranked.reverse()
    if not ranked:
        return f"`{table.name}` has no {score.name} by {by.spoken}: there is nothing to divide by."
    lines = [f"- {bold(each.value)}: {short_score(score, score.of(each))}" for each in ranked[: asked.most or 10]]
    if asked.kind == "sum":
        first = f"The {score.name if score.bottom else f'total {score.name}'} by {by.spoken} in `{table.name}`:"
    else:
        low = asked.kind == "worst"
        word = ("lowest" if low else "highest") if score.bottom is None else ("weakest" if low else "best")
        value = score.of(ranked[0])
        told = short_score(score, value) if score.bottom is None or value is None else scored(score, value)
        first = f"{bold(ranked[0].value)} has the {word} {score.name} in `{table.name}`: {told}."
    return f"{first}\n\n" + "\n".join(lines)


def _figure(kind: Kind, column: Column, table: Table) -> str:
    named = f"{column.spoken} in `{table.name}`"
    if kind in {"minimum", "maximum", "best", "worst"}:
        lowest = kind in {"minimum", "worst"}
        value = column.minimum if lowest else column.maximum
        return f"The {'lowest' if lowest else 'highest'} {named} is {bold(shown(value, column.unit))}."
    values: dict[str, tuple[str, Decimal | None]] = {
        "mean": ("average", column.mean),
        "median": ("median", column.median),
    }
    name, figure = values.get(kind, ("total", column.sum))
    return f"The {name} {named} is {bold(summed(column, figure))}."


def _names(table: Table) -> str:
    return ", ".join(each.name for each in table.columns[:20])
