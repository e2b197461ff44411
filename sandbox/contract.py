"""What every sandbox backend gives: a place in which code of nobody we trust runs, and what comes out of it.

A command that fails is a result. An error is ours alone: the sandbox is not there, is over, or answered nonsense. Paths
are relative to the workspace and of the guest's making: no backend ever opens one on the host.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, NewType, Protocol

SandboxId = NewType("SandboxId", str)


class Boundary(StrEnum):
    """What stands between the guest and the host, weakest first. There is no backend without one."""

    NAMESPACE = "namespace"  # the host's own kernel, most of it out of reach
    GVISOR = "gvisor"  # a kernel in user space
    MICROVM = "microvm"  # a kernel of its own

    def is_at_least(self, other: "Boundary") -> bool:
        order = list(Boundary)
        return order.index(self) >= order.index(other)


class Killer(StrEnum):
    """What ended a command before it ended by itself."""

    WALL = "wall"  # it took longer than `Limits.wall_seconds`
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    INODES = "inodes"
    OUTPUT = "output"  # it said more than `Limits.output_bytes`
    STOPPED = "stopped"  # somebody asked for it


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one sandbox may take. Whatever goes over is ended, never slowed down."""

    cpu_seconds: int = 20  # of one command
    wall_seconds: float = 30.0  # of one command
    memory_bytes: int = 768 * 2**20  # of all processes and files together
    processes: int = 64
    disk_bytes: int = 256 * 2**20  # of the workspace
    inodes: int = 20_000
    file_bytes: int = 64 * 2**20  # the largest single file
    output_bytes: int = 2**20  # of one command, both streams together


@dataclass(frozen=True, kw_only=True)
class SandboxSpec:
    """A sandbox as it is asked for. `labels` are ids and closed words, by which it is found again."""

    limits: Limits = field(default_factory=Limits)
    with_pack: bool | None = False  # pandas and what belongs to it can be imported; None: if it is installed
    labels: Mapping[str, str] = field(default_factory=dict)
    ttl_seconds: int = 900  # it ends this long after it was last used
    way_out: Path | None = None  # a folder of the host with the proxy's socket in it; None: there is no way out at all


@dataclass(frozen=True, kw_only=True)
class Output:
    """Some bytes a command said, in order."""

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Exited:
    """How a command ended: the last event of each. `code` is None when a signal or `killed_by` ended it."""

    code: int | None
    signal: int | None = None
    killed_by: Killer | None = None
    seconds: float = 0.0
    peak_bytes: int | None = None  # memory, where it is known


Event = Output | Exited


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file in the workspace, as the guest tells of it: sizes and names are claims.

    One that is not given says why in `refused`; its `path` is then only good for showing.
    """

    path: str
    size: int  # bytes
    refused: str | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a sandbox takes just now. None where the backend cannot tell."""

    memory_bytes: int | None
    disk_bytes: int | None
    inodes: int | None
    processes: int | None


@dataclass(frozen=True, kw_only=True)
class KnownSandbox:
    """A sandbox that exists, whoever made it."""

    id: SandboxId
    labels: Mapping[str, str]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Whether a sandbox of this kind really started here just now, and what to do when not."""

    ok: bool
    backend: str
    boundary: Boundary
    reason: str = ""
    fix: str = ""


class Sandbox(Protocol):
    """One sandbox, in use. One command runs at a time; a second one waits. Everything raises `SandboxGone` after its end."""

    @property
    def id(self) -> SandboxId: ...

    @property
    def spec(self) -> SandboxSpec: ...

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        wall_seconds: float | None = None,
    ) -> AsyncIterator[Event]:
        """Run a program in the workspace; give what it says as it says it, and how it ended."""
        ...

    def run_python(self, code: str, *, wall_seconds: float | None = None) -> AsyncIterator[Event]:
        """Run Python in a process of its own that is ready at once. It ends as a program does."""
        ...

    async def write(self, path: str, content: bytes, *, read_only: bool = False) -> None:
        """Put a file into the workspace, its folders too. Raises `PathRefused`, `QuotaExceeded`."""
        ...

    async def read(self, path: str, *, limit: int) -> bytes:
        """A regular file's bytes. Raises `PathRefused` for anything else, `QuotaExceeded` when longer than `limit`."""
        ...

    async def listed(self, under: str = "", *, limit: int = 1000, odd: bool = False) -> tuple[Entry, ...]:
        """The regular files under a folder, sorted; links, devices and names nobody could ask for are left out.

        With `odd` those are among them, refused. At most `limit`.
        """
        ...

    async def usage(self) -> Usage: ...

    async def kill(self, reason: Killer = Killer.STOPPED) -> None:
        """End it, whatever runs in it. Ending it twice is ending it once."""
        ...


class SandboxBackend(Protocol):
    """A kind of sandbox."""

    @property
    def name(self) -> str: ...

    @property
    def boundary(self) -> Boundary: ...

    @property
    def leads_out(self) -> bool:
        """Whether its sandboxes can have a way out; one that cannot raises `SandboxUnavailable` for a `way_out`."""
        ...

    async def probe(self) -> Probe:
        """Start one and say whether it held. Never guesses from what is installed."""
        ...

    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        """A new sandbox; with the same `key` again the same one. Raises `SandboxUnavailable`."""
        ...

    async def attach(self, sandbox: SandboxId) -> Sandbox:
        """The sandbox of that id. Raises `SandboxGone`."""
        ...

    async def listed(self, labels: Mapping[str, str] | None = None) -> tuple[KnownSandbox, ...]:
        """All that exist and carry these labels, to find those that nobody remembers."""
        ...

    async def close(self) -> None:
        """Let go of what the backend itself holds; ends every sandbox that cannot outlive it."""
        ...
