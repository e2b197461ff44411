"""All that can be done to entries, the values that other agents keep in a project.

An entry is used by nobody but who asks for it: it never enters the context of Joule's own agent by itself. What it says
is as trusted as what it was made from.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from joule.kernel.action import Action, Effect, content
from memory.entries.results import Entries, EntryDeleted, EntryPut, Namespaces


class Match(StrEnum):
    """Which end of a namespace a pattern is held against."""

    PREFIX = "prefix"
    SUFFIX = "suffix"


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Labels of a namespace from one end; `*` stands for any one label."""

    match: Match
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PutEntry(Action[EntryPut]):
    """Keep a value, JSON text of an object, under a namespace and key; what was there before is gone."""

    name: ClassVar[str] = "memory.put_entry"
    effect: ClassVar[Effect] = Effect.WRITE

    namespace: tuple[str, ...]
    key: str
    value: str = content()


@dataclass(frozen=True, kw_only=True)
class DeleteEntry(Action[EntryDeleted]):
    """Erase the value under a namespace and key. That there is none is no error."""

    name: ClassVar[str] = "memory.delete_entry"
    effect: ClassVar[Effect] = Effect.DELETE
    idempotent: ClassVar[bool] = True

    namespace: tuple[str, ...]
    key: str


@dataclass(frozen=True, kw_only=True)
class GetEntry(Action[Entries]):
    """The one entry under a namespace and key, or none."""

    name: ClassVar[str] = "memory.get_entry"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    namespace: tuple[str, ...]
    key: str


@dataclass(frozen=True, kw_only=True)
class SearchEntries(Action[Entries]):
    """Entries whose namespace begins with `prefix`. `filter` is JSON text: fields of the value, or `{"$gt": 5}` and such.

    With a `query` those it fits come first, best first.
    """

    name: ClassVar[str] = "memory.search_entries"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    prefix: tuple[str, ...] = ()
    filter: str = "{}"
    query: str = ""
    limit: int = 10
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class ListNamespaces(Action[Namespaces]):
    """The namespaces that fit every pattern, cut to `max_depth` labels."""

    name: ClassVar[str] = "memory.list_namespaces"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    patterns: tuple[Pattern, ...] = ()
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0
