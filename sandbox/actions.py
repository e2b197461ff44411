"""All that can be done with sandboxes and with what comes out of them.

What runs code is an outside effect: its INTENT is durable before anything runs, and a run whose end was never seen is
not repeated. Files reach a sandbox only by being named in the action. What comes out is untrusted, and carries the join
of all that ever went into the session.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from joule.kernel.action import Action, Effect
from joule.kernel.ids import ThreadId
from joule.kernel.label import Purpose
from sandbox.results import (
    ArtifactGone,
    ArtifactPinned,
    ArtifactRuleSet,
    BackendChosen,
    KeptInFiles,
    Plotted,
    Ran,
    SessionEnded,
    Swept,
    WorkspaceText,
    WorkspaceWritten,
)


@dataclass(frozen=True, kw_only=True)
class _Runs(Action[Ran]):
    """A command in the thread's warm session, or in a new one. `files` of the project are put in as read-only copies."""

    thread: ThreadId
    files: tuple[str, ...] = ()

    def measures(self, result: Ran) -> Mapping[str, int | str]:
        told: dict[str, int | str] = {
            "session": str(result.session),
            "boundary": result.boundary,
            "fresh": int(result.fresh),
            "artifacts": len(result.artifacts),
            "artifact_bytes": sum(each.size for each in result.artifacts),
            "refused_files": len(result.refused),
        }
        if result.exit_code is not None:
            told["exit_code"] = result.exit_code
        if result.killed_by is not None:
            told["killed_by"] = result.killed_by
        return told


@dataclass(frozen=True, kw_only=True)
class RunPython(_Runs, Action[Ran]):
    """Run Python. Files are under `files/`; what is written under `out/` comes out as artifacts."""

    name: ClassVar[str] = "sandbox.run_python"
    effect: ClassVar[Effect] = Effect.RUN

    code: str


@dataclass(frozen=True, kw_only=True)
class RunShell(_Runs, Action[Ran]):
    """Run a line of shell. Files are under `files/`; what is written under `out/` comes out as artifacts."""

    name: ClassVar[str] = "sandbox.run_shell"
    effect: ClassVar[Effect] = Effect.RUN

    command: str


@dataclass(frozen=True, kw_only=True)
class WriteWorkspace(Action[WorkspaceWritten]):
    """Put a text into the workspace of the thread's session; a new session when there is none."""

    name: ClassVar[str] = "sandbox.write_workspace"
    effect: ClassVar[Effect] = Effect.RUN

    thread: ThreadId
    path: str
    text: str


@dataclass(frozen=True, kw_only=True)
class ReadWorkspace(Action[WorkspaceText]):
    """Read a text file of the workspace. There is none when the session has ended."""

    name: ClassVar[str] = "sandbox.read_workspace"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    thread: ThreadId
    path: str


@dataclass(frozen=True, kw_only=True)
class Plot(Action[Plotted]):
    """Keep a Vega-Lite specification as a chart. It holds its own data: one that would fetch anything is refused."""

    name: ClassVar[str] = "sandbox.plot"
    effect: ClassVar[Effect] = Effect.RUN
    idempotent: ClassVar[bool] = True

    thread: ThreadId
    file_name: str
    spec: str


@dataclass(frozen=True, kw_only=True)
class DeleteArtifact(Action[ArtifactGone]):
    """Delete an artifact now. Deleting it twice is deleting it once."""

    name: ClassVar[str] = "sandbox.delete_artifact"
    effect: ClassVar[Effect] = Effect.DELETE
    idempotent: ClassVar[bool] = True

    artifact: UUID


@dataclass(frozen=True, kw_only=True)
class PinArtifact(Action[ArtifactPinned]):
    """Keep an artifact past its date, or no longer. A pinned one still counts against the organisation's room."""

    name: ClassVar[str] = "sandbox.pin_artifact"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    artifact: UUID
    pinned: bool = True


@dataclass(frozen=True, kw_only=True)
class KeepArtifactInFiles(Action[KeptInFiles]):
    """Make an artifact a file of its project, called `file_name`; a new version when there is one of that name."""

    name: ClassVar[str] = "sandbox.keep_artifact_in_files"
    effect: ClassVar[Effect] = Effect.WRITE

    artifact: UUID
    file_name: str

    def relevant(self) -> Mapping[str, str]:
        return {"file_name": self.file_name}


@dataclass(frozen=True, kw_only=True)
class SetArtifactRule(Action[ArtifactRuleSet]):
    """Keep what comes out of sandboxes from now on for so many hours, unless somebody pins it."""

    name: ClassVar[str] = "sandbox.set_artifact_rule"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True

    hours: int


@dataclass(frozen=True, kw_only=True)
class ChooseBackend(Action[BackendChosen]):
    """Run the organisation's code in this kind of sandbox from now on; None leaves it to the operator again."""

    name: ClassVar[str] = "sandbox.choose_backend"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True

    backend: str | None


@dataclass(frozen=True, kw_only=True)
class EndSession(Action[SessionEnded]):
    """End a thread's session, whatever runs in it. The worker that holds it ends it within seconds."""

    name: ClassVar[str] = "sandbox.end_session"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    session: UUID


@dataclass(frozen=True, kw_only=True)
class Sweep(Action[Swept]):
    """End artifacts and sessions whose time is over, and remove the bytes that nothing needs."""

    name: ClassVar[str] = "sandbox.sweep"
    effect: ClassVar[Effect] = Effect.DELETE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True
