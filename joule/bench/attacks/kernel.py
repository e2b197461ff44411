"""Attempts on the kernel, call by call. A call that is answered by anything but the filter's refusal got through.

Reaching the kernel's code is what counts: an attack on it begins there. Arguments are such that nothing comes of it.
"""

from __future__ import annotations

import platform

from joule.bench.attacks.attack import Attack, Given, Wall


def call(given: Given) -> object:
    import ctypes
    import errno

    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.syscall.restype = ctypes.c_long
    arguments = [
        ctypes.c_char_p(each.encode()) if isinstance(each, str) else ctypes.c_long(each) for each in given["arguments"]
    ]
    answer = kernel.syscall(ctypes.c_long(given["call"]), *arguments)
    if answer >= 0:
        return f"answered {answer}"
    reason = ctypes.get_errno()
    return reason not in {errno.EPERM, errno.ENOSYS} and f"reached: {errno.errorcode[reason]}"


def become_root_of_a_new_namespace(given: Given) -> object:
    import ctypes

    return ctypes.CDLL(None).unshare(0x10000000) == 0 and "a user namespace was made"


def be_born_into_a_new_namespace(given: Given) -> object:
    import ctypes
    import os

    kernel = ctypes.CDLL(None)
    child = kernel.syscall(ctypes.c_long(given["call"]), ctypes.c_long(0x10000000 | 17), *[ctypes.c_long(0)] * 4)
    if child == 0:
        os._exit(0)
    return child > 0 and os.waitpid(child, 0) and "a process in a new user namespace"


def be_born_by_the_newer_call(given: Given) -> object:
    import ctypes
    import os
    import struct

    asked = struct.pack("<8Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0)
    child = ctypes.CDLL(None).syscall(ctypes.c_long(435), ctypes.c_char_p(asked), ctypes.c_long(len(asked)))
    if child == 0:
        os._exit(0)
    return child > 0 and os.waitpid(child, 0) and "a process in a new user namespace"


def call_as_another_architecture(given: Given) -> object:
    import ctypes
    import mmap
    import os
    import signal

    code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    code.write(b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3")  # push rbx; mov eax, getpid of 32 bit; int 0x80; pop; ret
    child = os.fork()
    if child == 0:
        ask = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
        os._exit(7 if ask() == os.getpid() else 1)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS:
        return ""
    return f"a call of 32 bit was answered ({status})"


def type_into_a_terminal(given: Given) -> object:
    import fcntl
    import os

    _, terminal = os.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        line = os.open(os.ttyname(terminal), os.O_RDWR)
        try:
            fcntl.ioctl(line, 0x5412, b"x")
            os._exit(7)
        except OSError as problem:
            os._exit(7 if problem.errno == 5 else 1)  # a kernel built without it says EIO: the call was reached
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7 and "typed into a terminal"


def take_a_descriptor_of_the_guest(given: Given) -> object:
    import ctypes
    import os

    kernel = ctypes.CDLL(None)
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
    taken = kernel.syscall(438, os.pidfd_open(child), 0, 0)
    os.kill(child, 9)
    return taken >= 0 and "took a descriptor of another process"


def read_memory_of_another_process(given: Given) -> object:
    import ctypes
    import os
    import struct

    there = ctypes.create_string_buffer(b"secret of the other")
    into = ctypes.create_string_buffer(len(there))
    local = struct.pack("<QQ", ctypes.addressof(into), len(into))
    remote = struct.pack("<QQ", ctypes.addressof(there), len(there))
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
    read = ctypes.CDLL(None).process_vm_readv(child, local, ctypes.c_ulong(1), remote, ctypes.c_ulong(1), 0)
    os.kill(child, 9)
    return read > 0 and into.value


_X86 = platform.machine() == "x86_64"
_FILTER, _BOTH = (Wall.FILTER,), (Wall.FILTER, Wall.CAPABILITIES)
_THREE = (*_BOTH, Wall.NAMESPACES)  # in a namespace within another one capabilities reach nothing
_CALLS: tuple[tuple[str, str, tuple[int, int], tuple[int | str, ...], tuple[Wall, ...]], ...] = (
    # number, name, (x86-64, aarch64), arguments, walls
    ("33", "chroot", (161, 51), ("/tmp",), _BOTH),
    ("34", "pivot_root", (155, 41), ("/tmp", "/tmp"), _THREE),
    ("12", "mount", (165, 40), ("none", "/tmp", "tmpfs", 0, 0), _THREE),
    ("12a", "umount2", (166, 39), ("/nowhere", 0), _FILTER),
    ("35", "fsopen", (430, 430), ("tmpfs", 0), _THREE),
    ("35a", "open_tree", (428, 428), (-1, "/nowhere", 0), _FILTER),
    ("35b", "mount_setattr", (442, 442), (-1, "", -1, 0, 0), _FILTER),
    ("36", "ptrace", (101, 117), (0, 0, 0, 0), _FILTER),
    ("37a", "process_vm_writev", (311, 271), (1, 0, 0, 0, 0, 0), _FILTER),
    ("38", "bpf", (321, 280), (99, 0, 4096 * 2), _FILTER),
    ("39", "io_uring_setup", (425, 425), (1, 0), _FILTER),
    ("40", "userfaultfd", (323, 282), (1,), _FILTER),
    ("41", "perf_event_open", (298, 241), (0, 0, -1, -1, -1), _FILTER),
    ("42", "keyctl", (250, 219), (0, -3, 1), _FILTER),
    ("42a", "add_key", (248, 217), ("user", "joule", "x", 1, -2), _FILTER),
    ("42b", "request_key", (249, 218), ("user", "nothing", 0, 0), _FILTER),
    ("43", "open_by_handle_at", (304, 265), (-1, 0, 0), _FILTER),
    ("43a", "name_to_handle_at", (303, 264), (-100, "/tmp", 0, 0, 0), _FILTER),
    ("44", "reboot", (169, 142), (0, 0, 0, 0), _THREE),
    ("45", "personality", (135, 92), (0x0040000,), _FILTER),
    ("32", "setns", (308, 268), (-1, 0), _FILTER),
    ("44a", "sethostname", (170, 161), ("mine", 4), _THREE),
    ("44b", "clock_settime", (227, 112), (99, 0), _FILTER),
    ("44c", "adjtimex", (159, 171), (0,), _FILTER),
    ("44d", "fanotify_init", (300, 262), (0x200, 0), _FILTER),
    ("44e", "migrate_pages", (256, 238), (0, 0, 0, 0), _FILTER),
    ("44f", "move_pages", (279, 239), (0, 0, 0, 0, 0, 0), _FILTER),
    ("44g", "set_mempolicy", (238, 237), (0, 0, 0), _FILTER),
    ("44h", "vmsplice", (278, 75), (-1, 0, 0, 0), _FILTER),
    ("44i", "process_madvise", (440, 440), (-1, 0, 0, 0, 0), _FILTER),
)


def _attack(
    number: str, name: str, numbers: tuple[int, int], arguments: tuple[int | str, ...], walls: tuple[Wall, ...]
) -> Attack:
    given = {"call": numbers[0 if _X86 else 1], "arguments": arguments}
    return Attack(number=number, run=call, called=f"call_{name}", more=given, walls=walls)


_NAMESPACES = (Wall.FILTER, Wall.NAMESPACES)
ATTACKS = (
    *(_attack(*each) for each in _CALLS),
    Attack(number="30", run=become_root_of_a_new_namespace, walls=_NAMESPACES),
    Attack(number="31", run=be_born_into_a_new_namespace, walls=_NAMESPACES, more={"call": 56 if _X86 else 220}),
    Attack(number="31a", run=be_born_by_the_newer_call, walls=_NAMESPACES),
    Attack(number="37", run=read_memory_of_another_process, walls=_FILTER),
    Attack(number="37b", run=take_a_descriptor_of_the_guest, walls=_FILTER),
    Attack(number="46", run=call_as_another_architecture, walls=_FILTER, machines=("x86_64",)),
    Attack(number="47", run=type_into_a_terminal, walls=_FILTER),
)
