"""Shuts this process in for good: it may compute, and use the pipes it already has. Nothing else.

A list of allowed system calls (seccomp), no files, no sockets, no processes, no new program code; limits on memory
and processor time. There is no way back and no way round: where it cannot be done, `Unconfined` is raised and nothing
may be read. Linux on x86-64 and ARM64; pure Python, no library.
"""

import ctypes
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress

SHUT_IN = b"\x06"  # said once there is no way back, before anything of others is looked at

_IN, _OUT = 0, 1  # the only file descriptors: what is asked, and what is answered
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 4, 38, 22
_FILTER_MODE = 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # _REFUSE: errno 1, "operation not permitted"
_LOAD, _EQUALS, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # of classic BPF
_ARCHITECTURE, _NUMBER, _FIRST, _THIRD = 4, 0, 16, 32  # offsets in struct seccomp_data, low halves of arguments
_EXECUTABLE = 0x4  # PROT_EXEC

# architecture word, read, write, (mmap, mprotect), and what is always allowed: memory, time, own signals, the end
_TABLES = {
    "x86_64": (
        0xC000003E,
        0,
        1,
        (9, 10),
        (
            *(3, 11, 12, 13, 14, 15, 24, 25, 28, 35, 39, 60, 63, 96, 98, 99, 100, 131, 186, 201, 202, 204, 219),
            *(228, 229, 230, 231, 318, 334),
        ),
    ),
    "aarch64": (
        0xC00000B7,
        63,
        64,
        (222, 226),
        (
            *(
                57,
                214,
                215,
                134,
                135,
                139,
                124,
                216,
                233,
                101,
                172,
                93,
                160,
                169,
                165,
                179,
                153,
                132,
                178,
                98,
                123,
                128,
            ),
            *(113, 114, 115, 94, 278, 293),
        ),
    ),
}


class Unconfined(Exception):
    """This process could not be shut in."""


def shut_in(*, memory_bytes: int, seconds: int, listens: bool = False) -> None:
    """Shut this process in. Raises `Unconfined` when anything is still possible afterwards.

    `listens`: it may go on reading what it is asked. `seconds` are of the processor, over its whole life.
    """
    if sys.platform != "linux" or os.uname().machine not in _TABLES:
        raise Unconfined
    try:
        _limit(memory_bytes, seconds)
        _filter(_program(*_TABLES[os.uname().machine], listens=listens))
    except (OSError, ValueError) as problem:
        raise Unconfined from problem
    _must_be_refused()


def _limit(memory_bytes: int, seconds: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _program(
    architecture: int, read: int, write: int, mapping: tuple[int, int], free: tuple[int, ...], *, listens: bool
) -> bytes:
    """The filter. Everything that is not on the list is refused, as is any other instruction set."""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUALS, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for number in free:
        steps += [(_EQUALS, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number in mapping:  # memory may be had, but not to run
        steps += [
            (_EQUALS, 0, 4, number),
            (_LOAD, 0, 0, _THIRD),
            (_ANY_BIT, 1, 0, _EXECUTABLE),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _REFUSE),
        ]
    for number, descriptor in ((read, _IN), (write, _OUT)) if listens else ((write, _OUT),):
        steps += [
            (_EQUALS, 0, 4, number),
            (_LOAD, 0, 0, _FIRST),
            (_EQUALS, 0, 1, descriptor),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _REFUSE),
        ]
    steps.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter(steps: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(steps, len(steps))
    program = _Program(len(steps) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    zero = ctypes.c_ulong(0)
    for option, value, more in (
        (_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), zero),  # ends with whoever asked
        (_PR_SET_DUMPABLE, zero, zero),  # nobody of the same user looks in
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER_MODE), ctypes.byref(program)),
    ):
        if libc.prctl(option, value, more, zero, zero):
            raise OSError(ctypes.get_errno(), "prctl")


def _must_be_refused() -> None:
    """Try what a parser must never do. Where one of them works, the walls are not there."""
    with suppress(PermissionError):
        os.open("/", os.O_RDONLY)
        raise Unconfined
    with suppress(PermissionError):
        socket.socket()
        raise Unconfined
    with suppress(PermissionError):
        os.kill(os.getpid(), 0)
        raise Unconfined
