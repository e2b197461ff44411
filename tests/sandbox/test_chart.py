"""A chart draws its own data: nothing in it fetches, leads anywhere or computes."""

import json
from typing import Any

import pytest

from sandbox.artifacts.chart import DEEPEST, LARGEST, checked
from sandbox.artifacts.errors import ChartRefused

BAR: dict[str, Any] = {
    "data": {"values": [{"channel": "search", "url": "https://shop.test/landing", "spend": 120}]},
    "mark": {"type": "bar"},
    "encoding": {"x": {"field": "channel"}, "y": {"aggregate": "sum", "field": "spend"}},
    "transform": [{"filter": {"field": "spend", "gt": 10}}],
}


def test_a_plain_chart_passes_and_its_data_may_have_addresses_in_them():
    assert json.loads(checked(json.dumps(BAR)))["data"] == BAR["data"]


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"url": "https://evil.test/data.csv"}},
        {"data": "https://evil.test/data.csv"},
        {"layer": [{"data": {"URL": "file:///etc/passwd"}}]},
        {"mark": "image"},
        {"mark": {"type": "image"}},
        {"encoding": {"href": {"field": "channel"}}},
        {"encoding": {"url": {"field": "url"}}},
        {"usermeta": {"embedOptions": {"loader": {"baseURL": "https://evil.test"}}}},
        {"params": [{"name": "p", "expr": "1"}]},
        {"transform": [{"calculate": "datum.spend", "as": "x"}]},
        {"transform": [{"filter": "datum.spend > 1"}]},
        {"transform": [{"filter": {"and": ["datum.spend > 1"]}}]},
        {"transform": [{"lookup": "id", "from": {"data": {"url": "https://evil.test"}}}]},
        {"height": {"signal": "width"}},
        {"$schema": "https://vega.github.io/schema/vega/v5.json"},
        {"$schema": 5},
    ],
)
def test_a_chart_that_would_do_more_than_draw_is_refused(change: dict[str, Any]):
    with pytest.raises(ChartRefused):
        checked(json.dumps({**BAR, **change}))


@pytest.mark.parametrize("text", ["", "[]", "{", "NaN", '{"x": NaN}', "[" * 100_000, " " * (LARGEST + 1)])
def test_what_is_no_specification_is_refused(text: str):
    with pytest.raises(ChartRefused):
        checked(text)


def test_a_chart_that_is_nested_too_deep_is_refused():
    nested: dict[str, Any] = {}
    for _ in range(DEEPEST + 1):
        nested = {"layer": [nested]}

    with pytest.raises(ChartRefused):
        checked(json.dumps({**BAR, **nested}))
