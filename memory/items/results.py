"""What the actions on remembered items give back. Plain frozen data that can be written down as JSON."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joule.kernel.ids import ItemId, PersonId, ThreadId
from joule.kernel.label import Label
from memory.items.kinds import DataClass, ItemState, SourceKind, Withheld


@dataclass(frozen=True, kw_only=True)
class SourceSpan:
    """What an item was made from, and where in it: `start` to `end` in characters, both None for all of it.

    `source` is the task of a message, or the id of a document, connection, file or person.
    """

    kind: SourceKind
    source: UUID
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """The item as it is kept. `existing`: the same text was remembered already, so nothing was added.

    `state` proposed: it is kept apart until a person agrees. `contradicts`: the item it would take the place of.
    """

    item: ItemId
    text: str
    kind: str
    pinned: bool
    label: Label
    existing: bool = False
    state: str = ItemState.LIVE
    contradicts: ItemId | None = None
    generation: int = 0


@dataclass(frozen=True, kw_only=True)
class RecalledItem:
    """One remembered item with where it came from. `confidence` is in percent; `generation` counts its edits."""

    item: ItemId
    text: str
    kind: str
    pinned: bool
    author: PersonId | None
    via: str
    source_task: UUID
    created_at: datetime
    updated_at: datetime
    label: Label
    state: str = ItemState.LIVE
    subject: str = ""
    confidence: int = 100
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    contradicts: ItemId | None = None
    generation: int = 0
    sources: tuple[SourceSpan, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """Items in order of fit. `label` is the join of theirs. `off`: memory is switched off here, so nothing was read."""

    items: tuple[RecalledItem, ...]
    label: Label
    off: bool = False


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """How many rows went: the item and those it had replaced."""

    items: int


@dataclass(frozen=True, kw_only=True)
class MemorySwitched:
    """Whether memory is used now in the project, or in the one conversation."""

    on: bool
    thread: ThreadId | None = None


@dataclass(frozen=True, kw_only=True)
class ItemsExported:
    """Everything remembered in the project, proposals included."""

    items: tuple[RecalledItem, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class WithheldItem:
    """An item that was left out, why, and the classes that lack an owner's consent."""

    item: ItemId
    because: tuple[Withheld, ...]
    missing: tuple[DataClass, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExportedForTraining:
    """What may train a model, and what was left out. `label` is that of the items given out: training is allowed in it
    by these `consents`, unless nothing was given out.
    """

    export: UUID
    items: tuple[RecalledItem, ...]
    withheld: tuple[WithheldItem, ...]
    consents: tuple[UUID, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class ConsentGiven:
    """The consent that stands for a class. `existing`: it was given already."""

    consent: UUID
    data_class: DataClass
    given_at: datetime
    existing: bool = False


@dataclass(frozen=True, kw_only=True)
class PastExport:
    """One export for training that had left the house while the consent stood."""

    export: UUID
    at: datetime
    by: PersonId | None
    items: int


@dataclass(frozen=True, kw_only=True)
class ConsentWithdrawn:
    """From now on nothing of this class goes into an export. `exports`: what went before cannot be called back."""

    data_class: DataClass
    withdrawn_at: datetime
    exports: tuple[PastExport, ...] = ()
