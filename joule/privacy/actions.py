"""All that can be done about how long things are kept, and about erasing them before their time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from joule.kernel.action import Action, Effect, content
from joule.kernel.ids import PersonId, TaskId
from joule.kernel.label import Purpose
from traces.ending.holds import Scope


@dataclass(frozen=True, kw_only=True)
class RetentionSet:
    """What begins on `from_day` or later is kept for `days`; its rows without words for as long as their class."""

    days: int
    from_day: date
    retention: str


@dataclass(frozen=True, kw_only=True)
class SetRetention(Action[RetentionSet]):
    """Choose for how many days the words of the journal can be read: 1 to 2557 (seven years).

    Shortening holds for everything there is, from the next sweep on, within a minute. Lengthening holds for what begins
    tomorrow (UTC) or later: what was promised to go by a date goes by it.
    """

    name: ClassVar[str] = "privacy.set_retention"
    effect: ClassVar[Effect] = Effect.WRITE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True

    days: int

    def relevant(self) -> Mapping[str, str]:
        return {"days": str(self.days)}


@dataclass(frozen=True, kw_only=True)
class HoldPlaced:
    """Nothing in the scope of this hold is erased until it is lifted."""

    hold: UUID


@dataclass(frozen=True, kw_only=True)
class PlaceHold(Action[HoldPlaced]):
    """Keep whatever belongs to the organisation, to one person or to one task, whatever is due or asked for."""

    name: ClassVar[str] = "privacy.place_hold"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS

    scope: Scope
    subject: UUID | None = None
    reason: str = content()

    def relevant(self) -> Mapping[str, str]:
        return {"scope": self.scope.value, "subject": "" if self.subject is None else str(self.subject)}


@dataclass(frozen=True, kw_only=True)
class HoldLifted:
    """What was held is erased again when it is due; what is overdue, within a minute."""

    hold: UUID
    lifted_at: datetime


@dataclass(frozen=True, kw_only=True)
class LiftHold(Action[HoldLifted]):
    """Let things be erased again."""

    name: ClassVar[str] = "privacy.lift_hold"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True

    hold: UUID

    def relevant(self) -> Mapping[str, str]:
        return {"hold": str(self.hold)}


@dataclass(frozen=True, kw_only=True)
class Went:
    """How many of one kind were erased."""

    what: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What an erasure came to, as its receipt says it. `stays`: codes of what is left and why, see `receipts.STAYS`."""

    receipt: UUID
    went: tuple[Went, ...]
    stays: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EraseTask(Action[Erased]):
    """Make one message, its answer and all its steps unreadable, with what was made from it."""

    name: ClassVar[str] = "privacy.erase_task"
    effect: ClassVar[Effect] = Effect.DELETE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS

    task: TaskId

    def relevant(self) -> Mapping[str, str]:
        return {"task": str(self.task)}


@dataclass(frozen=True, kw_only=True)
class ErasePerson(Action[Erased]):
    """Erase a person: who they were, what they said, had remembered, made and connected, and did by hand.

    Files and documents they brought into projects belong to the organisation and stay, unless `with_files`.
    """

    name: ClassVar[str] = "privacy.erase_person"
    effect: ClassVar[Effect] = Effect.DELETE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS

    person: PersonId
    with_files: bool = False

    def relevant(self) -> Mapping[str, str]:
        return {"person": str(self.person)}


@dataclass(frozen=True, kw_only=True)
class EraseOrganisation(Action[Erased]):
    """Destroy every key of the organisation and take out its rows. Nobody can sign in to it afterwards.

    `leave_untold`: though providers of connected accounts were not told yet; afterwards there is no token to tell them with.
    """

    name: ClassVar[str] = "privacy.erase_organisation"
    effect: ClassVar[Effect] = Effect.DELETE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS

    leave_untold: bool = False

    def relevant(self) -> Mapping[str, str]:
        return {"organisation": str(self.principal.org)}


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What one sweep of an organisation came to. `more`: there is more to do at once."""

    days: int = 0
    held: int = 0
    calls: int = 0
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class Sweep(Action[Swept]):
    """Destroy the keys of the days that are over in one organisation, and end the log of model calls of those days."""

    name: ClassVar[str] = "privacy.sweep"
    effect: ClassVar[Effect] = Effect.DELETE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class PersonExport:
    """How much of each kind an export will hold."""

    person: PersonId
    holds: tuple[Went, ...]


@dataclass(frozen=True, kw_only=True)
class ExportPerson(Action[PersonExport]):
    """Hand out what is kept about a person, to themselves or to their organisation. On record before a byte is read."""

    name: ClassVar[str] = "privacy.export_person"
    effect: ClassVar[Effect] = Effect.READ
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS

    person: PersonId

    def relevant(self) -> Mapping[str, str]:
        return {"person": str(self.person)}
