"""Two rows of one call in one record, when both are written at once, and the two rows again when they are read.

A read or a model call that has ended before its INTENT was written needs no INTENT of its own: nothing outside has
happened that the record would have to run ahead of. So most reads cost one row in place of two.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from traces.records import Kind, Row

_OF_BOTH: Final = frozenset({"action", "effect", "binding", "tool"})
_OF_INTENT: Final = _OF_BOTH | {"facts", "policies", "bundle", "decision", "decision_id", "trial", "trial_policies"}
_JOINED: Final = frozenset({"read", "model"})  # effects that change nothing


def joined(rows: Iterable[Row]) -> list[Row]:
    """`rows` with each INTENT and the RESULT right after it in one row, where that call changed nothing."""
    found: list[Row] = []
    for row in rows:
        if found and _are_pair(found[-1], row):
            intent = found.pop()
            row = Row(
                kind=Kind.PERFORMED,
                at=intent.at,
                call=intent.call,
                attrs={**row.attrs, **intent.attrs},
                content={**intent.content, **row.content},
            )
        found.append(row)
    return found


def parted(row: Row) -> tuple[Row, ...]:
    """The rows that `joined` took `row` from: itself, or an INTENT and its RESULT."""
    if row.kind is not Kind.PERFORMED:
        return (row,)
    took = timedelta(microseconds=row.attrs["duration_us"])
    return (
        replace(
            row,
            kind=Kind.INTENT,
            attrs={name: value for name, value in row.attrs.items() if name in _OF_INTENT},
            content={name: value for name, value in row.content.items() if name != "result"},
        ),
        replace(
            row,
            kind=Kind.RESULT,
            at=row.at + took,
            attrs={name: value for name, value in row.attrs.items() if name in _OF_BOTH or name not in _OF_INTENT},
            content={name: value for name, value in row.content.items() if name == "result"},
        ),
    )


def _are_pair(one: Row, other: Row) -> bool:
    return (
        one.kind is Kind.INTENT
        and other.kind is Kind.RESULT
        and one.call == other.call
        and one.attrs.get("effect") in _JOINED
        and "duration_us" in other.attrs
        and one.content.keys() == {"args"}
        and other.content.keys() == {"result"}
        and _OF_INTENT.issuperset(one.attrs)
        and all(one.attrs.get(name) == other.attrs.get(name) for name in _OF_BOTH)
        and not (other.attrs.keys() & (_OF_INTENT - _OF_BOTH))
    )
