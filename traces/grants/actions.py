"""All that can be done about reading what was said in a task.

The heads of these actions name the task, the parts and the grant in clear, so that whoever holds the organisation's
log can show who read what, though all content be erased.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from joule.kernel.action import Action, Effect, content
from joule.kernel.ids import TaskId
from joule.kernel.label import Purpose
from traces.grants.parts import Part
from traces.grants.results import (
    AccessAsked,
    AccessEnded,
    AccessForgotten,
    AccessOpened,
    ContentOpened,
    ExportStarted,
)

DEFAULT_HOURS, MOST_HOURS = 24, 7 * 24
BREAK_GLASS_HOURS, MOST_BREAK_GLASS_HOURS = 1, 4


class OfOneAccess:
    """The part of an action's record that says which request or grant, and which task, it was about."""

    def measures(self, result: Any) -> Mapping[str, int | str]:
        told: dict[str, int | str] = {"about_task": str(result.task)}
        if result.access is not None:
            told["access"] = str(result.access)
        if parts := getattr(result, "parts", ()):
            told["parts"] = "+".join(parts)
        return told


@dataclass(frozen=True, kw_only=True)
class RequestAccess(OfOneAccess, Action[AccessAsked]):
    """Ask the organisation to let the person who asks read parts of one task's content for some hours (1 to 168).

    `reason` is what for; it is sealed with the task's own content and goes when that goes.
    """

    name: ClassVar[str] = "traces.request_access"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SUPPORT

    task: TaskId
    parts: tuple[Part, ...]
    reason: str = content()
    hours: int = DEFAULT_HOURS


@dataclass(frozen=True, kw_only=True)
class BreakGlass(OfOneAccess, Action[AccessAsked]):
    """Ask to read without waiting for the organisation. Nothing opens until a second person of support agrees."""

    name: ClassVar[str] = "traces.break_glass"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SUPPORT

    task: TaskId
    parts: tuple[Part, ...]
    reason: str = content()
    hours: int = BREAK_GLASS_HOURS


@dataclass(frozen=True, kw_only=True)
class SecondBreakGlass(OfOneAccess, Action[AccessOpened]):
    """Agree, as the second person, that content is read without the organisation's grant. It is told at once."""

    name: ClassVar[str] = "traces.second_break_glass"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SUPPORT

    access: UUID


@dataclass(frozen=True, kw_only=True)
class GrantAccess(OfOneAccess, Action[AccessOpened]):
    """Let the person who asked read `parts` (of those asked for) for `hours` from now. Empty, None: as asked."""

    name: ClassVar[str] = "traces.grant_access"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SUPPORT

    access: UUID
    parts: tuple[Part, ...] = ()
    hours: int | None = None


@dataclass(frozen=True, kw_only=True)
class DeclineAccess(OfOneAccess, Action[AccessEnded]):
    """Say no to a request."""

    name: ClassVar[str] = "traces.decline_access"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SUPPORT

    access: UUID


@dataclass(frozen=True, kw_only=True)
class RevokeAccess(OfOneAccess, Action[AccessEnded]):
    """End a grant or a break-glass at once. Ending one that is over is no error."""

    name: ClassVar[str] = "traces.revoke_access"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    access: UUID


@dataclass(frozen=True, kw_only=True)
class WithdrawAccess(OfOneAccess, Action[AccessEnded]):
    """Give up what one asked for oneself, or was granted."""

    name: ClassVar[str] = "traces.withdraw_access"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    access: UUID


@dataclass(frozen=True, kw_only=True)
class AcknowledgeAccess(OfOneAccess, Action[AccessEnded]):
    """Say that the organisation has taken note of a break-glass, so that its notice is no longer on every page."""

    name: ClassVar[str] = "traces.acknowledge_access"
    effect: ClassVar[Effect] = Effect.WRITE
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    access: UUID


@dataclass(frozen=True, kw_only=True)
class ReadContent(OfOneAccess, Action[ContentOpened]):
    """Write down that the content of a task is read; only what is written down can then be opened.

    An effect of its own kind WRITE, so that the record and the leave to read are committed in one transaction, and
    carrying no content, so that nothing of the task is copied into the log. Empty `parts`: all the person may read.
    """

    name: ClassVar[str] = "traces.read_content"
    effect: ClassVar[Effect] = Effect.WRITE
    purpose: ClassVar[Purpose] = Purpose.SUPPORT

    task: TaskId
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExportAudit(Action[ExportStarted]):
    """Write down that the organisation's audit log leaves as a file. It holds no content."""

    name: ClassVar[str] = "traces.export_audit"
    effect: ClassVar[Effect] = Effect.READ
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class ExportTimeline(Action[ExportStarted]):
    """Write down that the heads of a task's record leave as a file. They hold no content."""

    name: ClassVar[str] = "traces.export_timeline"
    effect: ClassVar[Effect] = Effect.READ
    purpose: ClassVar[Purpose] = Purpose.SUPPORT
    idempotent: ClassVar[bool] = True

    task: TaskId

    def measures(self, result: ExportStarted) -> Mapping[str, int | str]:
        return {"about_task": str(self.task)}


@dataclass(frozen=True, kw_only=True)
class ForgetAccess(Action[AccessForgotten]):
    """Delete requests, grants and reads that are past their time. Run by the daily sweep."""

    name: ClassVar[str] = "traces.forget_access"
    effect: ClassVar[Effect] = Effect.DELETE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True
