"""Control groups: the kernel's own limit on all of a sandbox together, where a part of the tree was given to us.

Optional: without one each process has its hard limits, and the watch looks at them all. A group is never taken, only used
where systemd (`Delegate=yes`) or an operator says it is ours. Version 2 alone.
"""

import os
import secrets
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from sandbox.contract import Limits
from sandbox.errors import SandboxUnavailable

NEEDED = frozenset({"memory", "pids"})
_OUTSIDE = 16  # processes a sandbox needs besides those of the guest: bubblewrap's, and gVisor's threads
_MARKS = ("user.delegate", "trusted.delegate")  # how systemd says that a group is somebody's to divide
_PATIENCE = 2.0  # seconds until what was killed has left its group


class Group:
    """The group of one sandbox."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.door = os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the kernel ended something in it because all its memory was used."""
        with suppress(OSError):
            for line in (self._folder / "memory.events").read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill" and count != "0":
                    return True
        return False

    def remove(self) -> None:
        """End all that is left in it, and the group. Doing it twice is doing it once."""
        with suppress(OSError):
            os.close(self.door)
        self.door = -1
        with suppress(OSError):
            _write(self._folder, "cgroup.kill", 1)
        until = time.monotonic() + _PATIENCE
        while self._folder.exists() and time.monotonic() < until:
            try:
                self._folder.rmdir()
            except OSError:
                time.sleep(0.01)  # the dead have not all left yet


class Groups:
    """A part of the tree that is ours to divide."""

    def __init__(self, folder: Path, *, controllers: Collection[str] = NEEDED) -> None:
        self._folder, self._controllers = folder, controllers

    def made(self, limits: Limits) -> Group:
        """A group with these limits, for one sandbox. Raises `SandboxUnavailable`: one that is ours and cannot be used is a fault."""
        folder = self._folder / f"joule-{secrets.token_hex(8)}"
        try:
            folder.mkdir()
            if "memory" in self._controllers:
                _write(folder, "memory.max", limits.memory_bytes)
                _write(folder, "memory.swap.max", 0)
                _write(folder, "memory.oom.group", 1)
            if "pids" in self._controllers:
                _write(folder, "pids.max", limits.processes + _OUTSIDE)
            return Group(folder)
        except OSError as problem:
            with suppress(OSError):
                folder.rmdir()
            raise SandboxUnavailable(
                f"the control group given to Joule cannot be used: {problem.strerror}",
                fix="Let systemd delegate memory and pids (docs/sandbox.md), or delegate nothing.",
            ) from problem


def delegated(*, of: Path = Path("/proc/self"), tree: Path | None = None) -> Groups | None:
    """What was given to this process to divide; None for most. Our own group is a leaf, so it is the one above."""
    mount = _mounted(of) if tree is None else tree
    own = next((line[3:] for line in (of / "cgroup").read_text().splitlines() if line.startswith("0::")), None)
    if mount is None or own is None or own == "/":
        return None
    above = (mount / own.lstrip("/")).parent
    if not _is_ours(above):
        return None
    with suppress(OSError):
        if set((above / "cgroup.controllers").read_text().split()) >= NEEDED:
            control = above / "cgroup.subtree_control"
            if not set(control.read_text().split()) >= NEEDED:
                control.write_text(" ".join(f"+{each}" for each in sorted(NEEDED)))
            return Groups(above)
    return None


def _mounted(of: Path) -> Path | None:
    for line in (of / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


def _is_ours(folder: Path) -> bool:
    for mark in _MARKS:
        with suppress(OSError):
            if os.getxattr(folder, mark) == b"1":
                return os.access(folder, os.W_OK)
    return False


def _write(folder: Path, name: str, value: int) -> None:
    with (folder / name).open("r+", encoding="ascii") as file:
        file.write(str(value))
