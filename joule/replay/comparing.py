"""Finds where what is asked now is not what was asked then, field by field. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from joule.kernel.action import Action, Effect
from joule.replay.report import Difference, Divergence
from traces.grants.masking import masked

_MISSING = object()
LONGEST = 4_000  # characters of a value that are shown


def request_differences(
    action: Action[Any],
    call: str,
    *,
    was: str,
    args: Mapping[str, Any],
    reads: frozenset[str],
    changed: frozenset[str],
) -> list[Difference]:
    """Where `action` differs from what `call` was: another action called `was`, or other arguments.

    `args` are those on record, empty where they were erased; `changed` names the versions that are others now.
    Never empty: the commitments differ, so something does.
    """
    kind = Divergence.REQUEST if action.effect is Effect.MODEL else Divergence.ARGUMENTS
    if was != action.name:
        return [Difference(kind=kind, at=call, field="action", recorded=was, now=action.name)]
    found = [
        _difference(kind, call, name, then, now, may_read="args" in reads)
        for name, then, now in _fields(args, action.arguments(), "args" if args else "")
    ]
    if found:
        return found
    # Only a length is kept of what the model is shown; which part of it is another is told by the versions.
    if kind is Divergence.ARGUMENTS:
        return [Difference(kind=kind, at=call, field="content")]
    parts = sorted(changed & {"prompt", "tools"}) or ["messages"]
    return [Difference(kind=kind, at=call, field=part) for part in parts]


def _fields(then: Mapping[str, Any], now: Mapping[str, Any], at: str) -> Iterator[tuple[str, Any, Any]]:
    if not at:
        return
    for name in sorted({*then, *now}):
        one, other = then.get(name, _MISSING), now.get(name, _MISSING)
        if one == other or _is_length(one, other):
            continue
        inner = _object(one), _object(other)
        if inner[0] is not None and inner[1] is not None:
            yield from _fields(inner[0], inner[1], f"{at}.{name}")
        else:
            yield f"{at}.{name}", one, other


def _is_length(then: Any, now: Any) -> bool:
    """The row that asked a person keeps a text whole of which others keep the length."""
    return isinstance(then, str) and now == {"length": len(then)}


def _object(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _difference(kind: Divergence, call: str, name: str, then: Any, now: Any, *, may_read: bool) -> Difference:
    if all(each is _MISSING or isinstance(each, bool | int) for each in (then, now)):
        return Difference(kind=kind, at=call, field=name, recorded=_word(then), now=_word(now))
    if not may_read:
        return Difference(kind=kind, at=call, field=name, withheld=True)
    return Difference(kind=kind, at=call, field=name, then_text=shown(then), now_text=shown(now))


def _word(value: Any) -> str:
    return "absent" if value is _MISSING else str(value).lower()


def shown(value: Any) -> str:
    """A value as a person reads it: secrets masked, cut where it is long."""
    if value is _MISSING or value is None:
        return "(nothing)"
    value = masked(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
