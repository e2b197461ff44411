"""Reads a chart's specification into what is to be drawn: points with names, numbers and series. Pure.

A small part of Vega-Lite: one mark over its own data, with aggregates, colours and grouped bars. What is beyond that is
not drawn at all, rather than drawn wrong.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from statistics import fmean, median
from typing import Any

MARKS = frozenset({"bar", "line", "area", "point", "circle", "square"})
MOST_ROWS, MOST_SERIES, MOST_NAMES = 5_000, 10, 60
_PLAIN = frozenset(
    {"$schema", "data", "datasets", "mark", "encoding", "title", "width", "height", "config", "description", "autosize"}
    | {"padding", "background", "name", "view"}
)
_CHANNEL = frozenset({"field", "type", "aggregate", "title", "axis", "scale", "sort", "stack", "legend"})
_USED = frozenset({"x", "y", "color", "xOffset", "tooltip", "opacity"})
_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "mean": fmean,
    "average": fmean,
    "median": median,
    "min": min,
    "max": max,
    "count": len,
}

Value = float | str


class NotDrawn(Exception):
    """The specification uses something that is not drawn here."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What one direction shows."""

    field: str
    title: str
    kind: str  # quantitative, temporal or nominal
    aggregate: str = ""
    from_zero: bool = True  # whether its scale begins at nothing


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing to draw."""

    x: Value
    y: Value
    series: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A whole chart, understood."""

    title: str
    mark: str
    x: Channel
    y: Channel
    series: tuple[str, ...]
    series_title: str
    grouped: bool  # bars beside one another, not on top
    points: tuple[Point, ...]


def plot(spec: str) -> Plot:
    """The chart. Raises `NotDrawn`."""
    try:
        told = json.loads(spec)
        if not isinstance(told, dict) or set(told) - _PLAIN:
            raise NotDrawn
        return _plot(told)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise NotDrawn from None


def _plot(told: Mapping[str, Any]) -> Plot:
    mark = told["mark"] if isinstance(told["mark"], str) else told["mark"]["type"]
    encoding = told["encoding"]
    if mark not in MARKS or set(encoding) - _USED:
        raise NotDrawn
    x, y = _channel(encoding["x"]), _channel(encoding["y"])
    color = _channel(encoding["color"]) if "color" in encoding and "field" in encoding["color"] else None
    offset = encoding.get("xOffset")
    if (x.aggregate and y.aggregate) or (color is not None and color.kind == "quantitative"):
        raise NotDrawn
    points = _points(_rows(told), x, y, color)
    series = tuple(dict.fromkeys(each.series for each in points))
    names = {each.x for each in points if isinstance(each.x, str)} | {
        each.y for each in points if isinstance(each.y, str)
    }
    if not points or len(series) > MOST_SERIES or len(names) > 2 * MOST_NAMES:
        raise NotDrawn
    return Plot(
        title=_words(told.get("title")),
        mark="point" if mark in {"circle", "square"} else mark,
        x=x,
        y=y,
        series=series,
        series_title="" if color is None else color.title,
        grouped=offset is not None or (color is not None and encoding["y"].get("stack", "zero") in {None, False}),
        points=points,
    )


def _channel(told: Mapping[str, Any]) -> Channel:
    if set(told) - _CHANNEL:
        raise NotDrawn
    aggregate, field = told.get("aggregate", ""), told.get("field", "")
    if (
        (aggregate and aggregate not in _AGGREGATES)
        or not isinstance(field, str)
        or not (field or aggregate == "count")
    ):
        raise NotDrawn
    kind = told.get("type", "quantitative" if aggregate else "nominal")
    shown = _words(told.get("title")) or (field if not aggregate else f"{aggregate} of {field}".removesuffix(" of "))
    return Channel(
        field=field,
        title=shown,
        kind={"quantitative": "quantitative", "temporal": "temporal"}.get(kind, "nominal"),
        aggregate=aggregate,
        from_zero=(told.get("scale") or {}).get("zero", True) is not False,
    )


def _rows(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = told["data"]
    rows = given["values"] if "values" in given else told["datasets"][given["name"]]
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS or not all(isinstance(each, dict) for each in rows):
        raise NotDrawn
    return rows


def _points(rows: list[Mapping[str, Any]], x: Channel, y: Channel, color: Channel | None) -> tuple[Point, ...]:
    if not x.aggregate and not y.aggregate:
        found = ((_value(each.get(x.field), x), _value(each.get(y.field), y), _series(each, color)) for each in rows)
        return tuple(
            Point(x=one, y=two, series=name) for one, two, name in found if one is not None and two is not None
        )
    counted, by = (y, x) if y.aggregate else (x, y)
    groups: dict[tuple[Value, str], list[float]] = {}
    for each in rows:
        place = _value(each.get(by.field), by)
        number = 1.0 if counted.aggregate == "count" else _value(each.get(counted.field), counted)
        if place is not None and isinstance(number, float):
            groups.setdefault((place, _series(each, color)), []).append(number)
    made = [(place, float(_AGGREGATES[counted.aggregate](numbers)), name) for (place, name), numbers in groups.items()]
    return tuple(
        Point(x=place, y=number, series=name) if y.aggregate else Point(x=number, y=place, series=name)
        for place, number, name in made
    )


def _series(row: Mapping[str, Any], color: Channel | None) -> str:
    return "" if color is None else _words(row.get(color.field)) or "(none)"


def _value(given: Any, channel: Channel) -> Value | None:
    if given is None:
        return None
    if channel.kind == "quantitative":
        if isinstance(given, bool) or not isinstance(given, int | float) or not isfinite(given) or abs(given) >= 1e15:
            raise NotDrawn
        return float(given)
    if channel.kind == "temporal":
        if isinstance(given, int | float):
            return float(given) / 1000
        at = datetime.fromisoformat(str(given))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return _words(given) or "(empty)"


def _words(given: Any) -> str:
    if isinstance(given, list):
        given = " ".join(str(each) for each in given)
    if isinstance(given, dict):
        given = given.get("text", "")
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return "" if given is None else " ".join(str(given).split())[:120]
