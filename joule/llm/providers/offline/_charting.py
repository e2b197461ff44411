"""Wishes for a chart or a workbook: finds the columns that are meant, has code add them up, and tells what came of it.

The code is fixed but for the names in its first lines (`_chart_program`); a language model would write its own. It runs
through the same gate, in the same sandbox, as anybody's.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from joule.llm.providers.offline._answers import by_role
from joule.llm.providers.offline._chart_program import program
from joule.llm.providers.offline._desk import Desk, Outcome, Want
from joule.llm.providers.offline._figures import summed
from joule.llm.providers.offline._files import NotClear, files_of, find, only
from joule.llm.providers.offline._prose import bold
from joule.llm.providers.offline._reading import Finding, failed
from joule.llm.providers.offline._table import Column, Table, main_score, mentioned, table_of
from joule.llm.providers.offline._wishes import Chart
from joule.llm.providers.offline._words import counted, listed, plain

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_NO_SANDBOX = (
    "Charts and workbooks are made by code, and no code can be run here: no sandbox starts on this machine. An operator "
    "can run `joule sandbox probe`, which says why."
)
MOST = 3  # columns in a workbook; two of them in a chart


def chart(wish: Chart, desk: Desk) -> Finding:
    """What was asked for, made by code and kept as artifacts."""
    if not desk.has("run_python"):
        return Finding(text=_NO_SANDBOX, is_good=False)
    (listing,) = desk.ask(Want(tool="list_files"))
    if not listing.is_good:
        return failed("list the files", listing)
    files = files_of(listing)
    file = find(wish.file, files) if wish.file else only(files, tables=True)
    if isinstance(file, NotClear):
        return Finding(text=file.said, is_good=False)
    if not file.is_table:
        return Finding(text=f"`{file.name}` is no table (CSV), so there is nothing to draw.", is_good=False)
    (facts,) = desk.ask(Want(tool="table_statistics", arguments={"file": file.name}))
    if not facts.is_good:
        return failed(f"read the figures of `{file.name}`", facts)
    table = table_of(facts)
    question = wish.question.replace(wish.file, " ") if wish.file else wish.question
    by, columns = _by(table, question), _columns(table, question)[: MOST if wish.workbook and not wish.chart else 2]
    if by is None or not columns:
        names = ", ".join(each.name for each in table.columns[:20])
        return Finding(text=f"I do not know what to draw of `{file.name}`. Its columns are {names}.", is_good=False)
    code = program(
        file=file.name,
        by=by.name,
        columns=[each.name for each in columns],
        name=_called(columns, by),
        workbook=wish.workbook,
        chart=wish.chart,
    )
    (ran,) = desk.ask(Want(tool="run_python", arguments={"code": code, "files": [file.name]}))
    told = _told(ran, len(columns))
    if told is None:
        return _not_run(ran)
    made = [str(each.get("name")) for each in ran.rows("artifacts")]
    if wish.chart and not any(each.endswith(".png") for each in made):
        spec = _spec(columns, by, told)
        (plotted,) = desk.ask(Want(tool="plot", arguments={"file": f"{_called(columns, by)}.json", "spec": spec}))
        if not plotted.is_good:
            return failed("draw the chart", plotted)
        made.append(str((plotted.values.get("artifact") or {}).get("name")))
    return _said(question, table, columns, by, told, made, ran)


def _columns(table: Table, question: str) -> list[Column]:
    """The columns of numbers that are asked for, in the order they are spoken of; else what the table is about."""
    spoken = _spoken(question)
    found = mentioned(table.numbers(), spoken)
    found += [each for each in by_role(table, spoken) if each not in found]
    if not found and (score := main_score(table)) is not None:
        found = [each for each in (score.top, score.bottom) if each is not None]
    places = {each.name: _place(each, table, spoken) for each in found}
    return sorted(found, key=lambda each: places[each.name])


def _spoken(question: str) -> str:
    """What is to be drawn, without what it is to be drawn by and how it is to be given."""
    first = re.split(r"\b(?:and|then)\s+(?:also\s+)?(?:give|make|save|export|put|send)\b", question, maxsplit=1)[0]
    return plain(re.split(r"\b(?:per|by|for\s+each|for\s+every)\b", first, maxsplit=1, flags=re.IGNORECASE)[0])


def _place(column: Column, table: Table, spoken: str) -> int:
    """Where a sentence speaks of a column: by its name, or by a word for what it is."""
    words = spoken.split()
    own = [at for at, word in enumerate(words) if mentioned([column], word)]
    meant = [at for at, _ in enumerate(words) if column in by_role(table, " ".join(words[at : at + 2]))]
    return min([*own, *meant], default=len(words))


def _by(table: Table, question: str) -> Column | None:
    words = [each for each in table.columns if not each.is_number]
    spoken = re.search(r"\b(?:by|per|for\s+each|for\s+every|across)\s+([\w ]{2,40})", question, re.IGNORECASE)
    if spoken and (found := mentioned(words, " ".join(spoken[1].split()[:3]))):
        return found[0]
    return next(iter(table.compared_by()), None)


def _called(columns: Sequence[Column], by: Column) -> str:
    said = f"{' against '.join(each.spoken for each in columns)} per {by.spoken}"
    return re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")[:80] or "chart"


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What the program said at its end: each value with its sums, highest first, and cells it could not read."""

    rows: tuple[tuple[str, tuple[Decimal, ...]], ...]
    unread: int


def _told(ran: Outcome, columns: int) -> _Told | None:
    """The last line the program said, if it is what it says when all went well."""
    if not ran.is_good or ran.values.get("exit_code") != 0:
        return None
    try:
        told = json.loads(ran.text("output").strip().rpartition("\n")[2])
        rows = tuple((_plain_cell(name), tuple(Decimal(each) for each in figures)) for name, *figures in told["rows"])
        unread = int(told["unread"])
    except (ValueError, TypeError, KeyError, RecursionError, InvalidOperation):
        return None
    fits = all(len(figures) == columns and all(each.is_finite() for each in figures) for _, figures in rows)
    return _Told(rows=rows, unread=unread) if rows and fits else None


def _plain_cell(name: object) -> str:
    """A value of the table as it can stand in an answer: no link, no markup, no cell of its own making."""
    return re.sub(r"[|<>\[\]()`*_]", " ", " ".join(str(name).split()))[:80].strip() or "(empty)"


def _not_run(ran: Outcome) -> Finding:
    if not ran.is_good:
        return failed("run the code", ran)
    return Finding(
        text="The code ran and did not come to its end; its card above shows what it said. Nothing was drawn.",
        is_good=False,
    )


def _spec(columns: Sequence[Column], by: Column, told: _Told) -> dict[str, Any]:
    """Vega-Lite: points for two columns, bars for one."""
    names = [each.name for each in columns]
    values: list[dict[str, Any]] = [
        {by.name: name, **{each: float(figure) for each, figure in zip(names, figures, strict=True)}}
        for name, figures in told.rows
    ]
    made: dict[str, Any] = {
        "$schema": _SCHEMA,
        "title": f"{' against '.join(each.spoken for each in columns)} per {by.spoken}",
        "data": {"values": values},
    }
    upward = {"field": names[0], "type": "quantitative", "title": names[0]}
    if len(columns) > 1:
        across = {"field": names[1], "type": "quantitative", "title": names[1]}
        made["mark"] = "point"
        made["encoding"] = {"x": across, "y": upward, "color": {"field": by.name, "type": "nominal"}}
    else:
        made["mark"] = "bar"
        made["encoding"] = {"x": {"field": by.name, "type": "nominal"}, "y": upward}
    return made


def _said(
    question: str,
    table: Table,
    columns: Sequence[Column],
    by: Column,
    told: _Told,
    made: Sequence[str],
    ran: Outcome,
) -> Finding:
    heads = [by.spoken, *(each.spoken for each in columns)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, figures in told.rows[:20]:
        shown = [summed(column, figure) for column, figure in zip(columns, figures, strict=True)]
        lines.append(f"| {' | '.join([name, *shown])} |")
    kept = listed([f"`{each}`" for each in made])
    first = f"{bold(told.rows[0][0])} has the highest {columns[0].spoken} in `{table.name}`."
    notes = [_understood(question, columns, table)]
    if told.unread:
        notes.append(f"{counted(told.unread, 'cell')} could not be read as numbers and are left out.")
    refused = [f"`{each.get('name') or 'a file'}` ({each.get('reason')})" for each in ran.rows("refused")]
    if refused:
        notes.append(f"Not kept: {listed(refused)}.")
    found = (
        f"Made {kept}: you find {'it' if len(made) == 1 else 'them'} under Artifacts, until their date." if made else ""
    )
    text = "\n\n".join(filter(None, [first, "\n".join(lines), " ".join(filter(None, notes)), found]))
    return Finding(text=text, document="\n".join(lines) + "\n", is_good=bool(made))


def _understood(question: str, columns: Sequence[Column], table: Table) -> str:
    """Which column was taken for a word that is none of the table's own."""
    taken = [each for each in columns if each not in mentioned(table.numbers(), _spoken(question))]
    if not taken:
        return ""
    return f"I took {listed([f'the column `{each.name}`' for each in taken])} for what you asked."
