"""What differs between the kinds of sandbox of this machine: how one is started, and how it is watched from outside.

Everything else is the same for all of them: one guest, one way to speak with it, one distrust of what it says.
"""

import subprocess
from pathlib import Path
from typing import Protocol

from sandbox.contract import Boundary, SandboxSpec
from sandbox.errors import SandboxUnavailable
from sandbox.local import bwrap, watchdog
from sandbox.local.watchdog import Look


class Jail(Protocol):
    """A kind of sandbox on this machine."""

    @property
    def name(self) -> str: ...

    @property
    def boundary(self) -> Boundary: ...

    @property
    def leads_out(self) -> bool:
        """Whether a sandbox of this kind can be given a socket of the host as its way out (`SandboxSpec.way_out`)."""
        ...

    def start(
        self, spec: SandboxSpec, *, connection: int, pack: Path | None, group: int | None
    ) -> "subprocess.Popen[bytes]":
        """Start one whose guest serves on the socket `connection`, and return at once. Raises `SandboxUnavailable`.

        The process is the first of its own group, and everything in the sandbox dies with it. `group` is where to write
        oneself down to be in its control group, if it has one.
        """
        ...

    def look(self, leader: int) -> Look:
        """What the sandbox with this first process takes just now."""
        ...

    def why_not(self, said: str) -> SandboxUnavailable:
        """What the last words of one that did not start mean, and what to do."""
        ...


class Bubblewrap:
    """Implements `Jail`: namespaces, and a filter on what is asked of the host's own kernel."""

    name = "local"
    boundary = Boundary.NAMESPACE
    leads_out = True

    def start(
        self, spec: SandboxSpec, *, connection: int, pack: Path | None, group: int | None
    ) -> "subprocess.Popen[bytes]":
        return bwrap.start(spec, connection=connection, pack=pack, group=group)

    def look(self, leader: int) -> Look:
        return watchdog.look(leader)

    def why_not(self, said: str) -> SandboxUnavailable:
        return bwrap.why_not(said)
