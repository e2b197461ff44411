"""Looks at a gVisor sandbox from outside: what its kernel holds, as the host's kernel tells it.

All memory of the guest, its files too, is one nameless file of gVisor's kernel. How many files there are is not seen from
here: each costs memory of that kernel, which counts. How many processes there may be, gVisor sees to itself.
"""

import os

from sandbox.contract import Usage
from sandbox.local.watchdog import Look, anonymous, tree

_MEMORY = "/memfd:runsc-memory"
_BLOCK = 512  # bytes


def look(leader: int) -> Look:
    """Look at the sandbox whose first process outside is `leader`. What has ended meanwhile counts as nothing."""
    processes, kernel, held = tree(leader), 0, 0
    for at, each in enumerate(processes):
        if (found := _memory_of(each)) is not None:
            kernel, held = at, found
            break
    taken = held + sum(anonymous(each) for each in processes)
    inside = len(processes) - kernel if kernel else 0
    return Look(usage=Usage(memory_bytes=taken, disk_bytes=None, inodes=None, processes=inside))


def _memory_of(process: int) -> int | None:
    """The size of the guest's memory, if this is gVisor's kernel."""
    try:
        for name in os.listdir(f"/proc/{process}/fd"):
            path = f"/proc/{process}/fd/{name}"
            if os.readlink(path).startswith(_MEMORY):
                return os.stat(path).st_blocks * _BLOCK
    except OSError:
        pass  # it has ended, or is not ours to look at
    return None
