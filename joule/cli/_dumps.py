"""Keeps what this process has in memory, keys among it, out of core dumps."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4
_libc = ctypes.CDLL(None)


def forbid_core_dumps() -> None:
    """No core file of this process or its children, and no debugger of the same user for this process.

    The limit is inherited. One byte is the kernel's word for no dump at all; nothing would still let it pipe dumps into
    a program. The second call lasts until the next program is executed, so every process of ours makes it.
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 1 if most == resource.RLIM_INFINITY else min(1, most)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
