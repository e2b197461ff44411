"""What the actions of this room give back. Plain frozen data that can be written down as JSON; no bytes of files."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joule.kernel.ids import FileId
from joule.kernel.label import Label


@dataclass(frozen=True, kw_only=True)
class ArtifactMade:
    """A file that came out and is kept until `expires_at`. `unchanged`: an earlier run of the session made the same."""

    artifact: UUID
    name: str
    size: int  # bytes
    media_type: str
    expires_at: datetime
    unchanged: bool = False


@dataclass(frozen=True, kw_only=True)
class RefusedFile:
    """A file that was in the out folder and is not kept. `name` is None when it is nothing that can be shown."""

    name: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended, what it said (cut in the middle when `truncated`) and what came out.

    `session` is where it ran; `fresh` says that it was made for this run, so nothing of earlier runs was in it.
    """

    session: UUID
    fresh: bool
    boundary: str
    exit_code: int | None
    killed_by: str | None
    milliseconds: int
    output: str
    truncated: bool
    artifacts: tuple[ArtifactMade, ...]
    refused: tuple[RefusedFile, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class WorkspaceWritten:
    """A file that is now in the workspace, until the session ends."""

    session: UUID
    fresh: bool
    path: str
    size: int  # bytes
    label: Label


@dataclass(frozen=True, kw_only=True)
class WorkspaceText:
    """The text of a file of the workspace. `truncated`: there is more."""

    session: UUID
    path: str
    text: str
    truncated: bool
    label: Label


@dataclass(frozen=True, kw_only=True)
class Plotted:
    """A chart that is kept as an artifact, as the checked specification it is drawn from."""

    artifact: ArtifactMade
    label: Label


@dataclass(frozen=True, kw_only=True)
class ArtifactGone:
    """An artifact that nobody can open any more. Its bytes are removed within minutes; that it was there stays on record."""

    artifact: UUID


@dataclass(frozen=True, kw_only=True)
class ArtifactPinned:
    """Whether an artifact is kept past its date, and that date."""

    artifact: UUID
    pinned: bool
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class KeptInFiles:
    """An artifact whose content is now a file of the project. The artifact itself ends as it would have."""

    artifact: UUID
    file: FileId
    name: str
    version: int


@dataclass(frozen=True, kw_only=True)
class ArtifactRuleSet:
    """How many hours what is made from now on is kept."""

    hours: int


@dataclass(frozen=True, kw_only=True)
class BackendChosen:
    """The kind of sandbox that code runs in from now on, and what that puts between the code and the machine."""

    backend: str
    boundary: str


@dataclass(frozen=True, kw_only=True)
class SessionEnded:
    """A session in which nothing runs any more."""

    session: UUID


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What one sweep of an organisation ended. `more`: there was more than one sweep takes."""

    artifacts: int
    blobs: int
    sessions: int
    more: bool
