"""What comes of asking for access, answering, and reading. Ids, words from closed lists and times: no content."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joule.kernel.ids import TaskId
from traces.grants.parts import Part


@dataclass(frozen=True, kw_only=True)
class AccessAsked:
    """A request that waits for an owner or admin, or, for a break-glass, for a second person of support."""

    access: UUID
    task: TaskId


@dataclass(frozen=True, kw_only=True)
class AccessOpened:
    """From now until `expires_at` these parts of the task may be read."""

    access: UUID
    task: TaskId
    parts: tuple[Part, ...]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class AccessEnded:
    """The request or grant is over."""

    access: UUID
    task: TaskId


@dataclass(frozen=True, kw_only=True)
class ContentOpened:
    """A read that is on record. `read` opens the content for a minute: see `traces.grants.reading`."""

    read: UUID
    task: TaskId
    parts: tuple[Part, ...]
    access: UUID | None  # the grant it was made under; None for the organisation's own owners and admins


@dataclass(frozen=True, kw_only=True)
class ExportStarted:
    """An export is on record and may begin."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class AccessForgotten:
    """How many requests, grants and reads were past their time and are gone."""

    requests: int
    reads: int
