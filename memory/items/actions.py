"""All that can be done to remembered items.

What a person says, or agrees to, is used from then on. What comes from elsewhere is kept as a proposal until a person
agrees: text that somebody else wrote never steers the agent by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from joule.kernel.action import Action, Effect
from joule.kernel.ids import ItemId, ThreadId
from joule.kernel.label import Purpose
from memory.items.kinds import DataClass
from memory.items.results import (
    ConsentGiven,
    ConsentWithdrawn,
    ExportedForTraining,
    Forgotten,
    ItemsExported,
    MemorySwitched,
    Recalled,
    Remembered,
    SourceSpan,
)
from memory.kinds import ItemKind


@dataclass(frozen=True, kw_only=True)
class OfOneItem:
    """The part of an action that says which remembered item is meant."""

    item: ItemId

    def relevant(self) -> Mapping[str, str]:
        return {"item": str(self.item)}


@dataclass(frozen=True, kw_only=True)
class OfNewItem:
    """The part of an action that says what is to be kept.

    `subject` names what the text is about: two live items of one kind about one subject contradict each other.
    `sources` are what it was made from, where the label alone does not say it; `confidence` is in percent.
    The text holds from `valid_from` until `valid_to`; at `expires_at` it is erased.
    """

    text: str
    kind: ItemKind = ItemKind.FACT
    subject: str = ""
    sources: tuple[SourceSpan, ...] = ()
    confidence: int = 100
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_at: datetime | None = None

    def relevant(self) -> Mapping[str, str]:
        return {"text": self.text} | ({"subject": self.subject} if self.subject else {})


@dataclass(frozen=True, kw_only=True)
class Remember(OfNewItem, Action[Remembered]):
    """Keep a short text for later tasks of the project. The same text is kept once.

    `replaces` names an item this one takes the place of; it goes when this one is forgotten. What contradicts an item
    without replacing it, and what the agent read elsewhere and nobody agreed to, is kept as a proposal.
    """

    name: ClassVar[str] = "memory.remember"
    effect: ClassVar[Effect] = Effect.WRITE

    replaces: ItemId | None = None


@dataclass(frozen=True, kw_only=True)
class ProposeItem(OfNewItem, Action[Remembered]):
    """Put a text before the people of the project, to be remembered once one of them agrees. It is used for nothing."""

    name: ClassVar[str] = "memory.propose_item"
    effect: ClassVar[Effect] = Effect.WRITE


@dataclass(frozen=True, kw_only=True)
class AcceptItem(OfOneItem, Action[Remembered]):
    """Agree to a proposal: from now on it is used, with the label it had. With `replace` it takes the place of the
    item it contradicts; without, both stand.
    """

    name: ClassVar[str] = "memory.accept_item"
    effect: ClassVar[Effect] = Effect.WRITE

    replace: bool = True


@dataclass(frozen=True, kw_only=True)
class DeclineItem(OfOneItem, Action[Forgotten]):
    """Erase a proposal. The agent does not propose the same text again."""

    name: ClassVar[str] = "memory.decline_item"
    effect: ClassVar[Effect] = Effect.DELETE


@dataclass(frozen=True, kw_only=True)
class Recall(Action[Recalled]):
    """The remembered items that fit the query: pinned ones first, then the best. An empty query: the newest."""

    name: ClassVar[str] = "memory.recall"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    query: str
    limit: int = 10


@dataclass(frozen=True, kw_only=True)
class ListItems(Action[Recalled]):
    """All that is remembered in the project, pinned first, then newest first."""

    name: ClassVar[str] = "memory.list_items"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class EditItem(OfOneItem, Action[Remembered]):
    """Change the text of a remembered item; what it said before is gone.

    With `expected` (a `generation` as it was read) it raises `Conflict` when somebody has edited the item since.
    """

    name: ClassVar[str] = "memory.edit_item"
    effect: ClassVar[Effect] = Effect.WRITE

    text: str
    expected: int | None = None

    def relevant(self) -> Mapping[str, str]:
        return {"item": str(self.item), "text": self.text}


@dataclass(frozen=True, kw_only=True)
class PinItem(OfOneItem, Action[Remembered]):
    """Have an item recalled first always, or no longer."""

    name: ClassVar[str] = "memory.pin_item"
    effect: ClassVar[Effect] = Effect.WRITE

    pinned: bool = True


@dataclass(frozen=True, kw_only=True)
class ForgetItem(OfOneItem, Action[Forgotten]):
    """Erase a remembered item and what it had replaced. There is no way back."""

    name: ClassVar[str] = "memory.forget_item"
    effect: ClassVar[Effect] = Effect.DELETE


@dataclass(frozen=True, kw_only=True)
class SwitchMemory(Action[MemorySwitched]):
    """Use memory in the project, or in one conversation of it, or no longer.

    Where it is off the agent is shown nothing that is remembered and can keep nothing. What is kept stays.
    """

    name: ClassVar[str] = "memory.switch_memory"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    on: bool
    thread: ThreadId | None = None


@dataclass(frozen=True, kw_only=True)
class ExportItems(Action[ItemsExported]):
    """Everything remembered in the project with where it came from, for its people to keep."""

    name: ClassVar[str] = "memory.export_items"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class ExportForTraining(Action[ExportedForTraining]):
    """The one way out for what may train a model: items of which every class has an owner's standing consent.

    Everything else is left out, and listed with the reason. Its `label` says whether training is allowed at all: take
    it from `memory.items.queries.label_for_training`.
    """

    name: ClassVar[str] = "memory.export_for_training"
    effect: ClassVar[Effect] = Effect.WRITE
    purpose: ClassVar[Purpose] = Purpose.TRAIN


@dataclass(frozen=True, kw_only=True)
class GiveTrainingConsent(Action[ConsentGiven]):
    """An owner lets the organisation's data of one class train models, until it is withdrawn."""

    name: ClassVar[str] = "memory.give_training_consent"
    effect: ClassVar[Effect] = Effect.ACCESS

    data_class: DataClass


@dataclass(frozen=True, kw_only=True)
class WithdrawTrainingConsent(Action[ConsentWithdrawn]):
    """Take a consent back. Raises `NotFound` when none stands for the class."""

    name: ClassVar[str] = "memory.withdraw_training_consent"
    effect: ClassVar[Effect] = Effect.ACCESS

    data_class: DataClass
