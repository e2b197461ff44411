"""Checks a Vega-Lite specification before it is kept: it draws its own data, and nothing in it fetches or computes.

Pure. Expressions are refused altogether: whatever a chart needs computed, Python computes before.
"""

import json
from typing import Any

from sandbox.artifacts.errors import ChartRefused

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
LARGEST = 1_000_000  # characters
DEEPEST = 40
_SCHEMAS = tuple(f"https://vega.github.io/schema/vega-lite/v{version}" for version in (5, 6))
_FETCHES = frozenset({"url", "href", "src", "usermeta", "loader", "baseurl"})
_COMPUTES = frozenset({"expr", "signal", "calculate", "lookup", "datumexpr", "update", "on"})
_TEXT_ONLY_AS_DATA = frozenset({"filter", "test"})  # objects there are conditions, a text is an expression


def checked(spec: str) -> str:
    """The specification in one canonical form. Raises `ChartRefused`."""
    if len(spec) > LARGEST:
        raise ChartRefused(f"it is longer than {LARGEST:,} characters")
    try:
        told = json.loads(spec, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ChartRefused("it is no JSON") from None
    if not isinstance(told, dict):
        raise ChartRefused("it is no JSON object")
    schema = told.setdefault("$schema", SCHEMA)
    if not isinstance(schema, str) or not schema.startswith(_SCHEMAS):
        raise ChartRefused("it is no Vega-Lite")
    _look({name: value for name, value in told.items() if name != "$schema"}, depth=0)
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _look(value: Any, *, depth: int) -> None:
    if depth > DEEPEST:
        raise ChartRefused("it is nested too deep")
    if isinstance(value, list):
        for each in value:
            _look(each, depth=depth + 1)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _look_at(name.casefold(), inner, depth=depth)


def _look_at(name: str, value: Any, *, depth: int) -> None:
    if name in _FETCHES:
        raise ChartRefused("it would fetch something, or lead somewhere")
    if name in _COMPUTES or (name in _TEXT_ONLY_AS_DATA and _has_text(value)):
        raise ChartRefused("it has an expression in it")
    if name == "mark" and "image" in (value, value.get("type") if isinstance(value, dict) else None):
        raise ChartRefused("it would fetch images")
    if name == "data":
        _look_at_data(value, depth=depth)
    elif name != "datasets":  # data: never looked at by anything that follows an address
        _look(value, depth=depth + 1)


def _look_at_data(value: Any, *, depth: int) -> None:
    if value is None:
        return
    if not isinstance(value, dict):
        raise ChartRefused("its data are no object")
    _look({name: inner for name, inner in value.items() if name != "values"}, depth=depth + 1)


def _has_text(value: Any) -> bool:
    """Whether an expression stands here, or in a combination of conditions."""
    if isinstance(value, str):
        return True
    if isinstance(value, list):
        return any(_has_text(each) for each in value)
    if isinstance(value, dict):
        return any(_has_text(value[each]) for each in ("and", "or", "not") if each in value)
    return False


def _no_number(_: str) -> None:
    raise ValueError("no number of JSON")
