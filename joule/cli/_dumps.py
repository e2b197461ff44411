"""Keeps what this process has in memory, keys among it, out of core dumps."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4
_libc = ctypes.CDLL(None)


def forbid_core_dumps() -> None:
    """No core file of this process or its children, and no debugger of the same user for this process.

    The limit is inherited. It does not bind a kernel that pipes dumps into a program; the second call does, until the
    next program is executed, so every process of ours makes it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
