"""Keeps of a provider's answer only the fields the task needs, bounded in depth, length and number.

Pure. A path is names joined by dots; `[]` goes through a list and `*` through all members: `files[].id`,
`rows[].metrics.*`. A path that ends on an object or list keeps it whole, within the bounds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from integrations.catalogue.errors import AnswerUnreadable
from integrations.catalogue.model import Operation

MAX_BYTES: Final = 4_000_000
MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 500
MAX_TEXT: Final = 20_000
MAX_PARTS: Final = 20_000
MAX_TOTAL: Final = 200_000
MAX_MARKER: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class Projected:
    """The kept part of an answer, and whether some of what should have been kept was cut for size."""

    kept: Any
    cut: bool


def parsed(raw: bytes) -> Any:
    """The answer as JSON; None if empty. Raises `AnswerUnreadable` for anything that is not plain, finite JSON."""
    if len(raw) > MAX_BYTES:
        raise AnswerUnreadable("it is too large")
    if not raw.strip():
        return None
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        raise AnswerUnreadable("it is not JSON") from error


def project(operation: Operation, answer: Any) -> Projected:
    """What the operation's projection keeps of the answer. The shape stays; all other members are gone."""
    tree: dict[str, Any] = {}
    for path in operation.projection:
        branch = tree
        for step in steps(path):
            branch = branch.setdefault(step, {})
        branch[_KEEP] = True
    budget = _Budget()
    kept = _pruned(answer, tree, budget, 0)
    return Projected(kept=None if kept is _GONE else kept, cut=budget.cut)


def next_page(operation: Operation, answer: Any, arguments: Mapping[str, Any]) -> str | None:
    """The marker to give as the paging argument to get what follows; None when this was the last page."""
    paging = operation.paging
    if paging is None:
        return None
    if paging.kind == "offset":
        return _next_offset(operation, answer, arguments)
    if paging.more is not None and not at(answer, paging.more):
        return None
    marker = at(answer, paging.next or "")
    if isinstance(marker, bool) or not isinstance(marker, str | int) or len(str(marker)) > MAX_MARKER:
        return None
    return str(marker) or None


def at(answer: Any, path: str) -> Any:
    """The value at a path without lists; None if it is not there."""
    value = answer
    for step in steps(path):
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value


def steps(path: str) -> list[str]:
    """`files[].owner.name` as `files`, `[]`, `owner`, `name`."""
    return [part for name in path.split(".") for part in _listed(name) if part]


def _listed(name: str) -> list[str]:
    plain = name.rstrip("[]") if name.endswith("[]") else name
    return [plain, *["[]"] * ((len(name) - len(plain)) // 2)]


def _next_offset(operation: Operation, answer: Any, arguments: Mapping[str, Any]) -> str | None:
    paging = operation.paging
    assert paging is not None  # noqa: S101 - for the type checker: asked by the caller
    total = at(answer, paging.total or "")
    properties = operation.arguments["properties"]

    def given(name: str) -> int:
        return int(arguments.get(name, properties.get(name, {}).get("default", 0)))

    following = given(paging.argument) + given(paging.size or "")
    return str(following) if isinstance(total, int) and given(paging.argument) < following < total else None


_KEEP: Final = "\x00keep"
_GONE: Final = object()


class _Budget:
    """How much may still be kept."""

    def __init__(self) -> None:
        self.parts, self.text, self.cut = MAX_PARTS, MAX_TOTAL, False

    def spend(self, text: str | None = None) -> bool:
        """True if there was room for one more part (and this much text)."""
        self.parts -= 1
        self.text -= len(text) if text else 0
        if self.parts < 0 or self.text < 0:
            self.cut = True
            return False
        return True


def _pruned(value: Any, tree: Mapping[str, Any], budget: _Budget, depth: int) -> Any:
    if depth > MAX_DEPTH:
        budget.cut = True
        return _GONE
    if _KEEP in tree:
        return _copied(value, budget, depth)
    if isinstance(value, list):
        return _GONE if "[]" not in tree else _items(value, tree["[]"], budget, depth)
    if not isinstance(value, Mapping):
        return _GONE
    return _members(value, tree, budget, depth)


def _members(value: Mapping[str, Any], tree: Mapping[str, Any], budget: _Budget, depth: int) -> Any:
    kept = {}
    names = list(value) if "*" in tree else [name for name in tree if name in value]
    for name in names[:MAX_ITEMS]:
        inner = _pruned(value[name], tree.get(name) or tree["*"], budget, depth + 1)
        if inner is not _GONE:
            kept[name[:MAX_TEXT]] = inner
    budget.cut = budget.cut or len(names) > MAX_ITEMS
    return kept


def _items(value: list[Any], tree: Mapping[str, Any], budget: _Budget, depth: int) -> list[Any]:
    budget.cut = budget.cut or len(value) > MAX_ITEMS
    kept = (_pruned(one, tree, budget, depth + 1) for one in value[:MAX_ITEMS])
    return [one for one in kept if one is not _GONE]


def _copied(value: Any, budget: _Budget, depth: int) -> Any:
    if depth > MAX_DEPTH or not budget.spend(value[:MAX_TEXT] if isinstance(value, str) else None):
        budget.cut = True
        return _GONE
    if isinstance(value, str):
        budget.cut = budget.cut or len(value) > MAX_TEXT
        return value[:MAX_TEXT]
    if isinstance(value, list):
        return _items(value, {_KEEP: True}, budget, depth)
    if isinstance(value, Mapping):
        return _members(value, {"*": {_KEEP: True}}, budget, depth)
    return value


def _not_a_number(_name: str) -> Any:
    raise ValueError("not a number")
