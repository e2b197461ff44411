"""A frozen description of one effect, before it happens.

Whatever changes something, leaves the process or reads content across a boundary is an `Action`. It says what is
wanted, by whom and from which values; it cannot do anything. Only the gate turns it into an effect.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import TypeAdapter

from joule.kernel.ids import ProjectId
from joule.kernel.label import Label, Purpose
from joule.kernel.principal import Principal

R = TypeVar("R")


class Effect(StrEnum):
    """What kind of mark an action leaves, which settles when it must be written down."""

    READ = "read"  # content crosses a boundary; nothing changes
    MODEL = "model"  # a model is asked; nothing of ours changes
    WRITE = "write"  # rows of our own database change
    DELETE = "delete"  # rows of our own database go away
    ACCESS = "access"  # who may do what changes
    SEND = "send"  # something leaves for the outside world
    SPEND = "spend"  # money moves
    RUN = "run"  # code runs

    @property
    def is_internal(self) -> bool:
        """Whether it changes only our own database: then it commits in one transaction with its journal rows."""
        return self in {Effect.WRITE, Effect.DELETE, Effect.ACCESS}

    @property
    def is_outside(self) -> bool:
        """Whether it cannot be taken back by a rollback: then its INTENT is durable before it starts."""
        return self in {Effect.SEND, Effect.SPEND, Effect.RUN}


@dataclass(frozen=True, kw_only=True)
class Action(Generic[R]):
    """One effect. The type parameter is what it gives back.

    A subclass is a frozen, keyword-only dataclass whose fields are plain data; it sets the class variables.
    `label` is the join of the labels of everything its arguments were made from: strictest unless stated.
    """

    name: ClassVar[str]  # "room.verb", the word policies and journals use
    effect: ClassVar[Effect]
    purpose: ClassVar[Purpose] = Purpose.SERVICE
    idempotent: ClassVar[bool] = False  # may be run again when its outcome was never seen

    principal: Principal
    project: ProjectId | None = None
    label: Label = field(default_factory=Label)

    def arguments(self, *, whole: bool = False) -> dict[str, Any]:
        """What is asked, as JSON data: every field but who asks and where the values came from.

        Of a `content` field only its length is told, so that no journal row holds a file or a prompt; `whole` gives its
        text, for the one row that asks a person to agree to it.
        """
        return {each.name: _told(each, value, whole=whole) for each, value in self._asked()}

    def binding(self) -> bytes:
        """Canonical bytes of what is asked, content included: equal only for the same wish.

        Never stored as it is; the journal keeps a keyed commitment of it.
        """
        digests = {
            each.name: hashlib.sha256(value if isinstance(value, bytes) else _canonical(_json(value))).hexdigest()
            for each, value in self._asked()
            if each.metadata.get("content")
        }
        return _canonical({"action": self.name, "arguments": self.arguments(), "content": digests})

    def _asked(self) -> list[tuple[Field[Any], Any]]:
        return [(each, getattr(self, each.name)) for each in fields(self) if each.name not in {"principal", "label"}]

    def relevant(self) -> Mapping[str, str]:
        """The security-relevant arguments by name: destinations, targets and what will be kept.

        The gate checks where each of these values came from before a consequential action.
        """
        return {}

    def measures(self, result: R) -> Mapping[str, int | str]:
        """Numbers and closed words about the result that may stand in clear in the journal, such as tokens used."""
        return {}


def content(**options: Any) -> Any:
    """A dataclass field that holds content (file bytes, a prompt): kept out of the journal, bound by commitment."""
    return field(metadata={"content": True}, **options)


def _told(each: Field[Any], value: Any, *, whole: bool) -> Any:
    if each.metadata.get("content") and not (whole and isinstance(value, str)):
        return {"length": len(value or ())}
    return _json(value)


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _canonical(value: Any) -> bytes:
    return _ENCODE(value).encode()


@cache
def _any_adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Any)


def _json(value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    return _any_adapter().dump_python(value, mode="json")


_CODECS: dict[type, TypeAdapter[Any]] = {}


def result_codec(action_type: type[Action[Any]]) -> TypeAdapter[Any]:
    """Reads and writes the result of an action as JSON data, by its type parameter.

    Raises `TypeError` for an action that does not say what it gives back.
    """
    known = _CODECS.get(action_type)
    if known is not None:
        return known
    for base in getattr(action_type, "__orig_bases__", ()):
        if get_origin(base) is Action:
            (result,) = get_args(base)
            return _CODECS.setdefault(action_type, TypeAdapter(result))
    raise TypeError(f"{action_type.__name__} does not say what it gives back: write Action[...]")
