"""What the actions on entries give back. Plain frozen data that can be written down as JSON."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joule.kernel.label import Label


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One value under its namespace and key. `value` is JSON text of an object."""

    namespace: tuple[str, ...]
    key: str
    value: str
    created_at: datetime
    updated_at: datetime
    label: Label


@dataclass(frozen=True, kw_only=True)
class EntryPut:
    """The entry that is kept now."""

    entry: UUID


@dataclass(frozen=True, kw_only=True)
class EntryDeleted:
    """How many entries went: one or none."""

    entries: int


@dataclass(frozen=True, kw_only=True)
class Entries:
    """Entries in order of fit, else in the order they were first kept. `label` is the join of theirs."""

    entries: tuple[Entry, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class Namespaces:
    """Namespaces in order, each once. `label` is that of everything they were taken from."""

    namespaces: tuple[tuple[str, ...], ...]
    label: Label
