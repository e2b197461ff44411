"""Composes a marketing summary from the figures of a table.

Pure: every number in the text is one the statistics tool gave, or a quotient of two of them; every claim follows from
a comparison made here.
"""

from dataclasses import dataclass
from decimal import Decimal

from joule.llm.providers.offline._figures import number, percent, scored, short_score, summed
from joule.llm.providers.offline._table import Column, Group, Score, Table
from joule.llm.providers.offline._voice import Voice
from joule.llm.providers.offline._words import counted, listed, plain

MOST_ROWS = 12


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The groups of one column, best first; `unscored` are those with nothing to divide by."""

    by: Column
    groups: tuple[Group, ...]
    unscored: tuple[Group, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Written:
    """A composed text: `brief` for the chat, `document` to be kept, in Markdown."""

    brief: str
    document: str


def summary(table: Table, score: Score | None, comparisons: list[Comparison], voice: Voice) -> Written:
    """What worked in a table, in the brand's voice."""
    short = _in_short(table, score, comparisons)
    sections = [f"# What worked in {table.name}", short]
    brief = [short]
    if score is not None and comparisons:
        worked = _worked(score, comparisons)
        weak = _weak(score, comparisons[0])
        if worked:
            sections.append("## What worked\n\n" + "\n".join(worked))
            brief.append("\n".join(worked[:4]))
        if weak:
            sections.append("## What to rethink\n\n" + "\n".join(weak))
            brief.append("\n".join(weak[:2]))
        if apart := _unscored(score, comparisons):
            sections.append(apart)
            brief.append(apart)
        if step := _next_step(score, comparisons[0]):
            sections.append(f"## Worth trying\n\n{step}")
        sections += [_grid(table, score, each) for each in comparisons]
    elif table.numbers():
        sections.append(overview(table))
        brief.append(overview(table))
    sections.append(_about(table))
    if voice.sign_off:
        sections.append(voice.sign_off)
    return Written(brief=voice.apply("\n\n".join(brief)), document=voice.apply("\n\n".join(sections)) + "\n")


def overview(table: Table) -> str:
    """The plain statistics of every number column."""
    lines = ["| Column | Total | Average | Median | Lowest | Highest |", "|---|---:|---:|---:|---:|---:|"]
    for each in table.numbers()[:20]:
        cells = [summed(each, value) for value in (each.sum, each.mean, each.median)]
        lines.append(
            f"| {_cell(each.name)} | {' | '.join(cells)} | {shown(each.minimum, each.unit)} | {shown(each.maximum, each.unit)} |"
        )
    return "\n".join(lines)


def shown(value: str, unit: str) -> str:
    """An extreme of a column: a number with its unit, or whatever else it is."""
    try:
        return number(Decimal(value), unit)
    except ArithmeticError:
        return _cell(value)


def bold(value: str) -> str:
    """A value out of a file, as a name: one line that changes nothing around it."""
    return f"**{' '.join(value.replace('*', '').replace('`', '').split())[:60]}**"


def _in_short(table: Table, score: Score | None, comparisons: list[Comparison]) -> str:
    if table.rows == 0:
        return f"`{table.name}` has a header and no rows, so there is nothing to compare yet."
    if score is None:
        return f"`{table.name}` has {counted(table.rows, 'row')} and no numbers, so there is nothing to add up."
    parts = [_overall(table, score)]
    groups = comparisons[0].groups if comparisons else ()
    if len(groups) > 1:
        best, last = groups[0], groups[-1]
        top, low = score.of(best), score.of(last)
        if top is not None and low is not None and top != low:
            parts.append(
                f"{bold(best.value)} did best with {scored(score, top)}; "
                f"{bold(last.value)} did least well with {scored(score, low)}."
            )
        elif top is not None:
            parts.append(f"All {len(groups)} did equally well with {scored(score, top)}.")
    return " ".join(parts)


def _overall(table: Table, score: Score) -> str:
    roles = table.roles
    spend, revenue, conversions = (roles.get(each) for each in ("spend", "revenue", "conversions"))
    rows = counted(table.rows, "row")
    overall = score.overall()
    if spend and revenue and overall is not None and score.name == "return on spend":
        more = f", with {summed(conversions, conversions.sum)} {conversions.spoken}" if conversions else ""
        return (
            f"We spent {summed(spend, spend.sum)} and brought in {summed(revenue, revenue.sum)}{more}: "
            f"{scored(score, overall)}."
        )
    if overall is not None:
        return f"Over {rows} we reached {scored(score, overall)}."
    return f"Over {rows}, the total of {score.top.spoken} is {summed(score.top, score.top.sum)}."


def _worked(score: Score, comparisons: list[Comparison]) -> list[str]:
    lines: list[str] = []
    for comparison in comparisons:
        better = _above(score, comparison)
        lines += [f"- {bold(each.value)} ({plain(comparison.by.name)}): {_told(score, each)}." for each in better[:3]]
    return lines


def _above(score: Score, comparison: Comparison) -> list[Group]:
    """The groups that did better than all rows together; of sums, the upper half."""
    groups, overall = list(comparison.groups), score.overall()
    if overall is None:
        return groups[: max(1, len(groups) // 2)]
    return [each for each in groups if (value := score.of(each)) is not None and _is_better(score, value, overall)]


def _is_better(score: Score, value: Decimal, other: Decimal) -> bool:
    return value < other if score.lower_is_better else value > other


def _told(score: Score, group: Group) -> str:
    value = score.of(group)
    parts = [scored(score, value)] if value is not None else []
    top = group.sums.get(score.top.name)
    if score.bottom is not None and top is not None:
        bottom = group.sums.get(score.bottom.name)
        share, part = percent(top, score.top.sum), percent(bottom or Decimal(0), score.bottom.sum)
        if share and part and score.name == "return on spend":
            parts.append(f"{share} of our {score.top.spoken} from {part} of our {score.bottom.spoken}")
        elif bottom is not None:
            told = f"{number(bottom, score.bottom.unit)} {score.bottom.spoken}"
            parts.append(f"{number(top, score.top.unit)} {score.top.spoken} for {told}")
    elif top is not None and (share := percent(top, score.top.sum)):
        parts.append(f"{share} of the total")
    return ", ".join(parts)


def _weak(score: Score, comparison: Comparison) -> list[str]:
    overall = score.overall()
    if overall is None or len(comparison.groups) < 2:
        return []
    lines: list[str] = []
    for group in reversed(comparison.groups):
        value = score.of(group)
        if value is None or not _is_better(score, overall, value) or len(lines) == 2:
            break
        loss = " It brought in less than it cost." if score.name == "return on spend" and value < 1 else ""
        lines.append(f"- {bold(group.value)}: {_told(score, group)}.{loss}")
    return lines


def _unscored(score: Score, comparisons: list[Comparison]) -> str:
    """The groups that could not be ranked are told, not dropped."""
    names = [bold(each.value) for comparison in comparisons for each in comparison.unscored]
    if not names or score.bottom is None:
        return ""
    return f"Not ranked, since there is no {score.bottom.spoken} to divide by: {listed(names[:8])}."


def _next_step(score: Score, comparison: Comparison) -> str:
    if score.name != "return on spend" or len(comparison.groups) < 2:
        return ""
    best, last = comparison.groups[0], comparison.groups[-1]
    top, low = score.of(best), score.of(last)
    if top is None or low is None or low <= 0 or top < low * Decimal("1.5"):
        return ""
    return (
        f"Move a small part of the budget from {bold(last.value)} to {bold(best.value)} and look again after a few "
        f"weeks: so far {bold(best.value)} has returned {number(round(top / low, 1))} times as much for the same money."
    )


def _grid(table: Table, score: Score, comparison: Comparison) -> str:
    order = ("spend", "revenue", "conversions", "clicks", "impressions", "opens")
    columns = [table.roles[role] for role in order if role in table.roles][:5]
    if score.top not in columns:
        columns.append(score.top)
    heads = [comparison.by.name, *(each.name for each in columns)]
    if score.bottom is not None:
        heads.append(score.name)
    lines = [
        f"## By {plain(comparison.by.name)}\n",
        f"| {' | '.join(_cell(each) for each in heads)} |",
        f"|---|{'---:|' * (len(heads) - 1)}",
    ]
    rows = [*comparison.groups, *comparison.unscored]
    for group in rows[:MOST_ROWS]:
        cells = [_cell(group.value), *(summed(each, group.sums.get(each.name)) for each in columns)]
        if score.bottom is not None:
            cells.append(short_score(score, score.of(group)))
        lines.append(f"| {' | '.join(cells)} |")
    if len(rows) > MOST_ROWS:
        lines.append(f"\nThe table shows {MOST_ROWS} of {len(rows)}.")
    return "\n".join(lines)


def _about(table: Table) -> str:
    lines = [f"Source: `{table.name}`, version {table.version}, {counted(table.rows, 'row')}."]
    gaps = [f"{counted(each.missing, 'empty cell')} in {each.spoken}" for each in table.columns if each.missing]
    if gaps:
        lines.append(f"Left out of the sums: {listed(gaps[:5])}.")
    lines += [each if each.endswith(".") else f"{each}." for each in table.notes[:5]]
    return " ".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:60]
