"""Takes a wish as it stands: a copy that is the gate's alone.

What was decided is then what is done. Whoever asked can change their own object while the gate decides, writes and
performs, frozen or not; this one they never held.
"""

from copy import deepcopy
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast
from uuid import UUID

from joule.kernel.action import Action

A = TypeVar("A", bound=Action[Any])

_CANNOT_CHANGE = {str, bytes, int, float, bool, type(None), Decimal, date, datetime, timedelta}


def own(action: A) -> A:
    """A copy of `action` that shares nothing changeable with it, and has nothing that its type does not declare."""
    return cast(A, _copy(action))


def _copy(value: Any) -> Any:
    kind = type(value)
    if kind in _CANNOT_CHANGE or issubclass(kind, Enum):
        return value
    if kind is UUID:
        return UUID(int=value.int)
    if kind is tuple or kind is frozenset:
        return kind(map(_copy, value))
    if is_dataclass(kind):
        return kind(**{name: _copy(getattr(value, name)) for name in _names(kind)})
    return deepcopy(value)


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))
