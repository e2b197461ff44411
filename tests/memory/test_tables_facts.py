"""Statistics of tables: exact where a person with a calculator would be, clear where they would ask."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joule.kernel.errors import Invalid
from joule.kernel.label import Integrity
from memory import _delimited, _numerals
from memory._tables_facts import facts
from memory.actions import TableStatistics
from memory.errors import NoSuchColumn, NotATable, NotText, TooMuch
from memory.results import ColumnFacts
from tests.memory.conftest import Room

CAMPAIGNS = """campaign,channel,spend,signups,started
Spring,Email,"1,200.50",120,2026-03-01
Summer,Social,800.10,20,2026-06-01
Autumn,Email,300.20,60,2026-09-01
Winter,Search,0.10,,2026-12-01
"""


def _column(found: Any, name: str) -> ColumnFacts:
    return next(one for one in found.columns if one.name == name)


async def test_campaign_results_are_counted_to_the_cent(room: Room) -> None:
    await room.upload("campaigns.csv", CAMPAIGNS.encode())

    found = await room.ask(
        TableStatistics,
        file_name="campaigns.csv",
        group_by="Channel",
        numerator="signups",
        denominator="spend",
    )

    spend, signups = _column(found, "spend"), _column(found, "signups")
    assert (spend.kind, spend.sum, spend.mean, spend.median) == ("number", "2300.9", "575.225", "550.15")
    assert (spend.minimum, spend.maximum) == ("0.1", "1200.5")
    assert (signups.count, signups.missing, signups.sum) == (3, 1, "200")
    assert (_column(found, "started").kind, _column(found, "started").maximum) == ("date", "2026-12-01")
    assert found.ratio == "0.0869225086"
    assert found.ranked_by == "signups / spend"
    assert [(one.value, one.rows, one.ratio) for one in found.groups] == [
        ("Email", 2, "0.1199440261"),
        ("Social", 1, "0.0249968754"),
        ("Search", 1, "0"),
    ]
    assert (found.rows, found.total_columns, found.label.integrity) == (4, 5, Integrity.UNTRUSTED)


def test_semicolons_decimal_commas_and_currencies_are_read_as_they_were_meant() -> None:
    table = _delimited.read("Kanal;Kosten;CTR\nMail;1.234,50 €;3,5 %\nWeb;2.000 €;1,5 %\n")

    found = facts(table, group_by="kanal")

    cost, rate = _column(found, "Kosten"), _column(found, "CTR")
    assert (cost.sum, cost.unit, rate.mean, rate.unit) == ("3234.5", "€", "2.5", "%")
    assert [one.value for one in found.groups] == ["Web", "Mail"]
    assert "Some numbers were read with a decimal comma." in found.notes


@pytest.mark.parametrize("text", ["a\tb\n1\t2\n", "a;b\n1;2\n", "a|b\n1|2\n", "a,b\r\n1,2\r\n", "sep=;\na;b\n1;2\n"])
def test_any_usual_delimiter_is_found(text: str) -> None:
    assert _delimited.read(text).rows == (("1", "2"),)


def test_quoted_line_breaks_and_marks_stay_in_their_cell() -> None:
    assert _delimited.read('a,b\n"x\ny","say ""hi"""\n').rows == (("x\ny", 'say "hi"'),)


def test_ragged_and_empty_rows_are_told() -> None:
    found = facts(_delimited.read("a,b\n1\n2,3,4\n,\n\n5,6\n"))

    assert _column(found, "b").missing == 1
    assert len(found.notes) == 3


def test_names_of_columns_are_made_distinct() -> None:
    assert _delimited.read("Clicks,clicks,,x\n1,2,3,4\n").header == ("Clicks", "clicks (2)", "column 3", "x")


def test_formulas_are_text_never_run_and_shown_so_that_no_program_runs_them() -> None:
    table = _delimited.read('name,spend\n"=HYPERLINK(""http://x"")",10\n@a,=1+1\n-5 off,-7\n')

    found = facts(table, group_by="name")

    spend = _column(found, "spend")
    assert (spend.kind, spend.sum, spend.formulas, spend.numbers) == ("number", "3", 1, 2)
    assert _column(found, "name").formulas == 3
    assert all(value.startswith("'") for value, _ in _column(found, "name").most_common)
    assert all(one.value.startswith("'") for one in found.groups)
    assert any("formulas" in note for note in found.notes)


def test_ten_thousand_columns_are_described_in_part_and_each_when_named() -> None:
    header = ",".join(f"c{n}" for n in range(10_000))
    table = _delimited.read(f"{header}\n{','.join(str(n) for n in range(10_000))}\n")

    assert len(facts(table).columns) == 40
    assert _column(facts(table, columns=("c9999",)), "c9999").sum == "9999"
    assert "9960 more columns are not described; name the columns you want." in facts(table).notes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", NotATable),
        ("\n , \n", NotATable),
        ('a,b\n"never closed,1\n2,3\n', NotATable),
        (f"a,b\n{'x' * 140_000},1\n", NotATable),
        ("a,b\n" + "1,2\n" * 500_001, TooMuch),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_advice(text: str, problem: type[Invalid]) -> None:
    with pytest.raises(problem) as refused:
        _delimited.read(text)

    assert refused.value.advice()


def test_what_cannot_be_added_up_is_not() -> None:
    table = _delimited.read("money,share,mix\n€5,5%,1\n$7,7,n.v.\n")

    found = facts(table)

    assert [(one.kind, one.sum) for one in found.columns] == [("mixed", None), ("mixed", None), ("mixed", "1")]
    for wrong in ({"numerator": "money"}, {"numerator": "money", "denominator": "mix"}):
        with pytest.raises(Invalid):
            facts(table, **wrong)
    with pytest.raises(NoSuchColumn):
        facts(table, group_by="nothing")
    assert facts(table, numerator="mix", denominator="mix").ratio == "1"


def test_a_ratio_over_nothing_is_none_and_ranks_last() -> None:
    found = facts(_delimited.read("g,a,b\nx,1,0\ny,1,2\nz,3,2\n"), group_by="g", numerator="a", denominator="b")

    assert [(one.value, one.ratio) for one in found.groups] == [("z", "1.5"), ("y", "0.5"), ("x", None)]


def test_of_many_groups_the_highest_and_lowest_are_told() -> None:
    table = _delimited.read("g,v\n" + "".join(f"g{n:03},{n}\n" for n in range(100)))

    found = facts(table, group_by="g")

    assert found.total_groups == 100
    assert [one.value for one in found.groups] == [f"g{n:03}" for n in (*range(99, 89, -1), *range(9, -1, -1))]


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ".", "1234.50"),
        ("1,234", ".", "1234"),
        ("1,234", ",", "1.234"),
        ("0,123", ".", "0.123"),
        ("(1,234.5)", ".", "-1234.5"),
        ("−5", ".", "-5"),
        ("$-5", ".", "-5"),
        ("1 234 567,8", ".", "1234567.8"),
        ("1\u202f234", ".", "1234"),
        ("1'234.50", ".", "1234.50"),
        ("12,34,567", ".", "1234567"),
        ("1.5e3", ".", "1500"),
        ("1,2,3", ".", None),
        ("1.2.3", ".", None),
        ("=1", ".", None),
        ("1 2", ".", None),
        ("٣", ".", None),
        ("1e999", ".", None),
        ("9" * 61, ".", None),
        ("(5", ".", None),
        ("--5", ".", None),
    ],
)
def test_numbers_are_read_as_people_write_them(cell: str, mark: _numerals.Mark, value: str | None) -> None:
    read = _numerals.numeral(cell, mark=mark)

    assert (None if read is None else read.value) == (None if value is None else Decimal(value))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.decimals(-(10**12), 10**12, places=4), min_size=1, max_size=40))
def test_sums_are_exact_whatever_the_numbers(numbers: list[Decimal]) -> None:
    table = _delimited.read("v\n" + "".join(f"{number:f}\n" for number in numbers))

    (column,) = facts(table).columns

    assert Decimal(column.sum or "") == sum(numbers)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_table_or_a_clear_refusal(text: str) -> None:
    try:
        table = _delimited.read(text)
    except Invalid:
        return
    found = facts(table, group_by=table.header[0])
    assert all(len(row) == len(table.header) for row in table.rows)
    assert facts(table, group_by=table.header[0]) == found


async def test_a_picture_has_no_statistics(room: Room) -> None:
    await room.upload("photo.csv", b"\x89PNG\r\n\x1a\n....")
    await room.upload("a.json", b'{"a": 1}')

    with pytest.raises(NotText):
        await room.ask(TableStatistics, file_name="photo.csv")
    with pytest.raises(NotATable):
        await room.ask(TableStatistics, file_name="a.json")
