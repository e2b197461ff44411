"""The filter on system calls, as the kernel takes it: classic BPF over (number, architecture, arguments).

A second wall, not the first one: it takes away the parts of the host's kernel that programs which compute never need and
attacks on kernels nearly always do. Everything else is allowed, so a library that works outside works inside.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.errors import SandboxUnavailable

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|…|K, BPF_RET|K
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in `struct seccomp_data`
_FIRST_ARGUMENT, _SECOND_ARGUMENT = 16, 24  # low words, little endian
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_X32 = 0x40000000
_AF_UNIX = 1
# CLONE_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET and (as a flag of unshare) _NEWTIME
_NEW_NAMESPACES = 0x7E020000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # putting words into somebody else's terminal

# Since Linux 5.0 new calls have one number everywhere.
_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "process_madvise": 440,
    "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "set_mempolicy_home_node": 450, "statmount": 457,
    "listmount": 458, "open_tree_attr": 467,
}  # fmt: skip
# Memory that no process and no folder is seen to hold, so that the watch could not count it.
_UNSEEN_X86_64 = {"memfd_create": 319, "shmget": 29, "msgget": 68, "semget": 64}
_UNSEEN_AARCH64 = {"memfd_create": 279, "shmget": 194, "msgget": 186, "semget": 190}
_X86_64 = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "bpf": 321, "perf_event_open": 298,
    "userfaultfd": 323, "add_key": 248, "request_key": 249, "keyctl": 250, "mount": 165, "umount2": 166,
    "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272, "init_module": 175, "finit_module": 313,
    "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320, "reboot": 169, "swapon": 167, "swapoff": 168,
    "acct": 163, "settimeofday": 164, "clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159, "sethostname": 170,
    "setdomainname": 171, "iopl": 172, "ioperm": 173, "quotactl": 179, "lookup_dcookie": 212, "nfsservctl": 180,
    "syslog": 103, "vhangup": 153, "uselib": 134, "personality": 135, "open_by_handle_at": 304,
    "name_to_handle_at": 303, "fanotify_init": 300, "fanotify_mark": 301, "modify_ldt": 154, "mbind": 237,
    "set_mempolicy": 238, "migrate_pages": 256, "move_pages": 279, "vmsplice": 278, "_sysctl": 156, "ustat": 136,
    "sysfs": 139, **_UNSEEN_X86_64,
}  # fmt: skip
_AARCH64 = {
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "bpf": 280, "perf_event_open": 241,
    "userfaultfd": 282, "add_key": 217, "request_key": 218, "keyctl": 219, "mount": 40, "umount2": 39, "pivot_root": 41,
    "chroot": 51, "setns": 268, "unshare": 97, "init_module": 105, "finit_module": 273, "delete_module": 106,
    "kexec_load": 104, "kexec_file_load": 294, "reboot": 142, "swapon": 224, "swapoff": 225, "acct": 89,
    "settimeofday": 170, "clock_settime": 112, "clock_adjtime": 266, "adjtimex": 171, "sethostname": 161,
    "setdomainname": 162, "quotactl": 60, "lookup_dcookie": 18, "nfsservctl": 42, "syslog": 116, "vhangup": 58,
    "personality": 92, "open_by_handle_at": 265, "name_to_handle_at": 264, "fanotify_init": 262, "fanotify_mark": 263,
    "mbind": 235, "set_mempolicy": 237, "migrate_pages": 238, "move_pages": 239, "vmsplice": 75, **_UNSEEN_AARCH64,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Machine:
    audit: int  # how the kernel names the architecture
    refused: Mapping[str, int]
    clone: int
    clone3: int
    ioctl: int
    sockets: tuple[int, int]  # socket, socketpair
    has_x32: bool


_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E, refused=_X86_64, clone=56, clone3=435, ioctl=16, sockets=(41, 53), has_x32=True
    ),
    "aarch64": _Machine(
        audit=0xC00000B7, refused=_AARCH64, clone=220, clone3=435, ioctl=29, sockets=(198, 199), has_x32=False
    ),
}


def program(machine: str) -> bytes:
    """The filter for a machine as `platform.machine()` names it. Raises `SandboxUnavailable` for one we do not know."""
    known = _MACHINES.get(machine)
    if known is None:
        raise SandboxUnavailable(
            f"no filter on system calls is known for {machine}",
            fix="Run workers on x86-64 or aarch64: see docs/sandbox.md.",
        )
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, known.audit, then=1),
        _returns(_KILL),
        _step(_LOAD, _NUMBER),
    ]
    if known.has_x32:
        code += [_step(_AT_LEAST, _X32, otherwise=1), _refuses(_ENOSYS)]
    for number in sorted({*_EVERYWHERE.values(), *known.refused.values()}):
        code += [_step(_EQUAL, number, otherwise=1), _refuses(_EPERM)]
    # The C library falls back to `clone`, whose flags can be looked at; those of `clone3` are behind a pointer.
    code += [_step(_EQUAL, known.clone3, otherwise=1), _refuses(_ENOSYS)]
    code += _when(known.clone, _step(_LOAD, _FIRST_ARGUMENT), _step(_ANY_BIT, _NEW_NAMESPACES, otherwise=1), _EPERM)
    for request in (_TIOCSTI, _TIOCLINUX):
        code += _when(known.ioctl, _step(_LOAD, _SECOND_ARGUMENT), _step(_EQUAL, request, otherwise=1), _EPERM)
    for call in known.sockets:
        code += _when(call, _step(_LOAD, _FIRST_ARGUMENT), _step(_EQUAL, _AF_UNIX, then=1), _EAFNOSUPPORT)
    return b"".join([*code, _returns(_ALLOW)])


def _when(number: int, load: bytes, test: bytes, error: int) -> list[bytes]:
    """For one call: look at an argument, and refuse with `error` unless `test` jumps over that."""
    return [_step(_EQUAL, number, otherwise=4), load, test, _refuses(error), _step(_LOAD, _NUMBER)]


def _step(operation: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("<HBBI", operation, then, otherwise, value)


def _returns(verdict: int) -> bytes:
    return _step(_RETURN, verdict)


def _refuses(error: int) -> bytes:
    return _returns(0x00050000 | error)
