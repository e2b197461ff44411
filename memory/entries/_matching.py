"""Says whether a value fits a filter, and a namespace a pattern: as LangGraph's stores understand them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from joule.kernel.errors import Invalid
from memory.entries.actions import Match, Pattern


def fits(value: Any, wanted: Any) -> bool:
    """Whether `value` has what is `wanted`: equal parts, or what its operators say. What cannot be compared does not fit.

    Raises `Invalid` for an operator there is not.
    """
    if isinstance(wanted, Mapping):
        if any(name.startswith("$") for name in wanted):
            return all(_holds(value, operator, other) for operator, other in wanted.items())
        return isinstance(value, Mapping) and all(fits(value.get(name), part) for name, part in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(value, list) and len(value) == len(wanted)
        return same and all(fits(part, other) for part, other in zip(value, wanted, strict=True))
    return bool(value == wanted)


def is_like(namespace: Sequence[str], pattern: Pattern) -> bool:
    """Whether the namespace has the pattern's labels at the end that is meant."""
    if len(namespace) < len(pattern.labels):
        return False
    if pattern.match is Match.PREFIX:
        pairs = zip(namespace, pattern.labels, strict=False)
    else:
        pairs = zip(reversed(namespace), reversed(pattern.labels), strict=False)
    return all(wanted in ("*", label) for label, wanted in pairs)


def _holds(value: Any, operator: str, other: Any) -> bool:
    if operator == "$eq":
        return bool(value == other)
    if operator == "$ne":
        return bool(value != other)
    if operator not in {"$gt", "$gte", "$lt", "$lte"}:
        raise Invalid("there is no such operator", advice="Use $eq, $ne, $gt, $gte, $lt or $lte.")
    try:
        left, right = float(value), float(other)
    except (TypeError, ValueError):
        return False
    return {"$gt": left > right, "$gte": left >= right, "$lt": left < right, "$lte": left <= right}[operator]
