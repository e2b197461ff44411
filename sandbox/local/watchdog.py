"""Looks at a running sandbox from outside and says when it takes too much. Believes the kernel, never the guest.

Memory is what its processes hold for themselves, what they share without a file, and what its files take, which are
memory too. Memory shared without a file counts in full: who holds it can keep it out of every process's own count. A look every few
hundredths of a second can be outrun by a fast allocator, by about five per cent as measured; each process has a hard
limit of its own besides.
"""

import os
from dataclasses import dataclass

from sandbox.contract import Killer, Limits, Usage

_PAGE = os.sysconf("SC_PAGE_SIZE")
_NO_FILE = b" /dev/zero (deleted)"  # how the kernel names them
_MOST_ON_ITS_WAY = {b"socket": 2**19, b"pipe": 2**16}  # bytes one of them can hold
_FILES = ("workspace", "tmp", "dev/shm")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a sandbox takes at one moment."""

    usage: Usage

    def too_much(self, limits: Limits) -> Killer | None:
        """Which limit is passed, if any."""
        usage = self.usage
        if (usage.memory_bytes or 0) > limits.memory_bytes:
            return Killer.MEMORY
        if (usage.inodes or 0) > limits.inodes:
            return Killer.INODES
        return None


def look(leader: int) -> Look:
    """Look at the sandbox whose first process outside is `leader`. What has ended meanwhile counts as nothing."""
    processes = tree(leader)
    held = sum(anonymous(each) for each in processes) + _shared(processes[1:]) + _on_its_way(processes[1:])
    blocks = inodes = 0
    for each in processes[1:]:  # the first one of bubblewrap stands outside
        try:
            found = [os.statvfs(f"/proc/{each}/root/{name}") for name in _FILES]
        except OSError:
            continue
        blocks = sum((one.f_blocks - one.f_bfree) * one.f_frsize for one in found)
        inodes = sum(one.f_files - one.f_ffree for one in found)
        break
    return Look(
        usage=Usage(memory_bytes=held + blocks, disk_bytes=blocks, inodes=inodes, processes=max(len(processes) - 1, 0))
    )


def tree(leader: int) -> list[int]:
    """The process and all that it has started, as far as they live."""
    found = [leader]
    for each in found:
        try:
            for thread in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{thread}/children", encoding="ascii") as children:
                    found += [int(child) for child in children.read().split()]
        except OSError:
            continue
    return found


def anonymous(process: int) -> int:
    """Bytes a process holds for itself alone."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as told:
            numbers = told.read().split()
        return (int(numbers[1]) - int(numbers[2])) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _shared(processes: list[int]) -> int:
    """The sizes of mappings that are shared and belong to no file, each counted once."""
    found: dict[bytes, int] = {}
    for each in processes:
        try:
            with open(f"/proc/{each}/maps", "rb") as told:
                mappings = told.read()
        except OSError:
            continue
        if _NO_FILE in mappings:
            for line in mappings.splitlines():
                if _NO_FILE in line:
                    where, _, offset, _, inode, *_ = line.split()
                    start, end = (int(part, 16) for part in where.split(b"-"))
                    found[inode] = max(found.get(inode, 0), int(offset, 16) + end - start)
    return sum(found.values())


def _on_its_way(processes: list[int]) -> int:
    """The most that open sockets and pipes can hold unread, for nobody tells how much they do."""
    found: set[bytes] = set()
    for each in processes:
        try:
            opened = os.listdir(f"/proc/{each}/fd")
        except OSError:
            continue
        for name in opened:
            try:
                found.add(os.readlink(os.fsencode(f"/proc/{each}/fd/{name}")))
            except OSError:
                continue
    return sum(_MOST_ON_ITS_WAY.get(each.partition(b":[")[0], 0) for each in found)
