"""Charts are drawn from names and numbers alone; what is not understood is not drawn."""

import json
from typing import Any

import pytest

from sandbox.artifacts.drawing import drawn
from sandbox.artifacts.plotting import NotDrawn

ROWS = [
    {"channel": "search", "month": "2026-01-01", "spend": 120, "signups": 30},
    {"channel": "mail", "month": "2026-01-01", "spend": 40, "signups": 25},
    {"channel": "search", "month": "2026-02-01", "spend": 80, "signups": 20},
]
X = {"field": "channel", "type": "nominal"}
Y = {"field": "spend", "type": "quantitative"}


def spec(mark: Any = "bar", rows: Any = None, **encoding: Any) -> str:
    told = {"data": {"values": ROWS if rows is None else rows}, "mark": mark, "encoding": {"x": X, "y": Y, **encoding}}
    return json.dumps(told)


def test_bars_are_as_high_as_their_sums():
    found = drawn(spec(y={**Y, "aggregate": "sum"}))

    search, mail = found.boxes
    assert [each.text for each in found.across] == ["search", "mail"]
    assert search.height == pytest.approx(5 * mail.height, rel=0.01)
    assert search.y + search.height == pytest.approx(found.bottom)
    assert found.rows == (("search", "200"), ("mail", "40"))
    assert found.up[0].text == "0"


def test_bars_lie_beside_names_and_stand_beside_or_upon_one_another():
    color = {"field": "month", "type": "nominal"}
    lying = drawn(spec(x=Y | {"aggregate": "sum"}, y=X))
    stacked = drawn(spec(color=color))
    grouped = drawn(spec(color=color, xOffset={"field": "month"}))

    assert lying.boxes[0].width > lying.boxes[1].width
    assert stacked.boxes[0].x == stacked.boxes[2].x
    assert grouped.boxes[0].x != grouped.boxes[2].x
    assert [each.text for each in grouped.keys] == ["2026-01-01", "2026-02-01"]


def test_lines_go_through_time_and_points_stand_where_both_numbers_are():
    line = drawn(spec("line", x={"field": "month", "type": "temporal"}, y=Y | {"aggregate": "sum"}))
    dots = drawn(spec({"type": "point"}, x={"field": "signups", "type": "quantitative"}, color=X))

    assert line.runs[0].path.startswith("M")
    assert line.across[0].text == "2026-01-01"
    assert {each.says for each in dots.dots} == {"search: 30, 120", "mail: 25, 40", "search: 20, 80"}


def test_negative_and_single_numbers_have_room():
    below = drawn(spec(rows=[{"channel": "a", "spend": -5}, {"channel": "b", "spend": 10}]))
    single = drawn(spec("point", rows=[{"channel": "a", "spend": 7}]))

    assert below.up[0].text == "-5"
    assert single.top <= single.dots[0].y <= single.bottom


@pytest.mark.parametrize(
    "told",
    [
        "nonsense",
        "[]",
        spec("geoshape"),
        spec(rows=[]),
        spec(rows=[{"channel": "a", "spend": "many"}]),
        spec(rows=[{"channel": f"c{n}", "spend": 1} for n in range(6000)]),
        spec(y={**Y, "aggregate": "stdev"}),
        spec(x={**X, "bin": True}),
        spec(size={"field": "spend"}),
        json.dumps({"layer": [], "data": {"values": ROWS}}),
        json.dumps({"data": {"url": "x"}, "mark": "bar", "encoding": {"x": X, "y": Y}}),
        spec("line", x={"field": "month", "type": "temporal"}, rows=[{"month": "no day", "spend": 1}]),
        spec(rows=[{"channel": "a", "spend": 1e300}, {"channel": "b", "spend": 1e-300}]),
    ],
)
def test_what_is_not_understood_is_not_drawn(told: str):
    with pytest.raises(NotDrawn):
        drawn(told)
