"""Makes a wish of any kind, its required fields filled from their types: for laws that hold of every action."""

from dataclasses import MISSING, fields
from datetime import UTC, datetime
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import SecretStr

from joule.kernel.action import Action
from joule.kernel.ids import ProjectId, new_id
from joule.kernel.principal import Principal


def wish(kind: type[Action[Any]], *, principal: Principal, project: ProjectId | None = None) -> Action[Any]:
    """A wish of `kind` about nothing that exists, unless `project` does."""
    hints = get_type_hints(kind)
    given = {
        each.name: _value(hints[each.name])
        for each in fields(kind)
        if each.name not in {"principal", "project"} and each.default is MISSING and each.default_factory is MISSING
    }
    return kind(principal=principal, project=project or ProjectId(new_id()), **given)


def _value(hint: Any) -> Any:
    hint = getattr(hint, "__supertype__", hint)
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return None if type(None) in get_args(hint) else _value(get_args(hint)[0])
    if origin is tuple or hint is tuple:
        return ()
    if origin is Literal:
        return get_args(hint)[0]
    if issubclass(hint, Enum):
        return next(iter(hint))
    plain = {str: "words", bytes: b"bytes", int: 1, bool: True, datetime: datetime.now(UTC)}
    if issubclass(hint, SecretStr):
        return hint("s" * 20)
    if hint in plain:
        return plain[hint]
    if hint is UUID:
        return new_id()
    raise TypeError(f"tests/support/wishes.py cannot fill a {hint}")
