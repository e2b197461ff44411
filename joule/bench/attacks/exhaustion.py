"""Attempts to take more than was given: processes, memory, files, time, words. All with small limits."""

from __future__ import annotations

from joule.bench.attacks.attack import Attack, Given, Wall
from sandbox.contract import Killer, Limits

_MEGABYTE = 2**20


def fork_without_end(given: Given) -> object:
    import os
    import signal

    for _ in range(60):
        if os.fork() == 0:
            signal.pause()
    return "60 processes"


def make_threads_without_end(given: Given) -> object:
    import threading

    until = threading.Event()
    try:
        for _ in range(60):
            threading.Thread(target=until.wait, daemon=True).start()
    except RuntimeError:
        return ""
    finally:
        until.set()
    return "60 threads"


def reserve_more_than_there_is(given: Given) -> object:
    import mmap

    return len(mmap.mmap(-1, 600 * 2**20))


def share_memory_between_many(given: Given) -> object:
    import os
    import time

    for _ in range(3):
        if os.fork() == 0:
            held = bytearray(os.urandom(1000) * 45_000)
            time.sleep(given["patience"] + len(held) / 1e9)
            os._exit(0)
    time.sleep(given["patience"])
    return "135 MB held by three"


def fill_memory_with_files(given: Given) -> object:
    import time

    for name in ("/tmp/filled", "/dev/shm/filled"):
        with open(name, "wb") as made:
            made.write(bytes(30 * 2**20))
    time.sleep(given["patience"])
    return "60 MB in files that are memory"


def hide_memory_in_files_without_names(given: Given) -> object:
    import os
    import time

    kept = [os.memfd_create("hidden") for _ in range(3)]
    for each in kept:
        for _ in range(40):
            os.write(each, bytes(2**20))
    time.sleep(given["patience"])
    return "120 MB in files nobody can see"


def hide_memory_nobody_maps(given: Given) -> object:
    import ctypes
    import mmap
    import time

    shared = mmap.mmap(-1, 120 * 2**20)
    at = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(shared)))
    for start in range(0, len(shared), 2**20):
        shared[start : start + 2**20] = bytes(2**20)
        ctypes.CDLL(None).madvise(at, ctypes.c_size_t(start), mmap.MADV_DONTNEED)
    time.sleep(given["patience"])
    return "120 MB that no process seems to hold"


def hide_memory_in_sockets(given: Given) -> object:
    import os
    import socket
    import time

    children, kept = 0, []
    while children < 2 and os.fork():
        children += 1
    for _ in range(100):
        for end in socket.socketpair():
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
            kept.append(end)
    sent = sum(end.send(bytes(150_000)) for end in kept)
    time.sleep(given["patience"])
    return children == 2 and sent > 25 * 2**20 and f"three times {sent} bytes on their way to nobody"


def hide_memory_in_segments(given: Given) -> object:
    import ctypes

    return ctypes.CDLL(None).shmget(7, 120 * 2**20, 0o1600) >= 0 and "120 MB outside of every process"


def hide_memory_in_messages(given: Given) -> object:
    import ctypes

    return ctypes.CDLL(None).msgget(7, 0o1600) >= 0 and "a queue of messages in the kernel"


def fill_the_workspace(given: Given) -> object:
    import os

    with open("/workspace/filled", "wb", buffering=0) as made:
        for _ in range(30):
            os.write(made.fileno(), bytes(2**20))
        return made.tell()


def fill_the_scratch_folder(given: Given) -> object:
    import os

    for number in range(3):
        with open(f"/tmp/{number}", "wb") as made:
            os.posix_fallocate(made.fileno(), 0, 30 * 2**20)
    return "90 MB in /tmp"


def fill_the_shared_memory_folder(given: Given) -> object:
    import os

    with open("/dev/shm/filled", "wb") as made:
        os.posix_fallocate(made.fileno(), 0, 40 * 2**20)
    return "40 MB in /dev/shm"


def write_one_huge_file(given: Given) -> object:
    import os

    with open("/workspace/huge", "wb") as made:
        os.ftruncate(made.fileno(), 3 * 2**20)
        return os.pwrite(made.fileno(), b"x", 3 * 2**20)


def make_files_without_end(given: Given) -> object:
    import os
    import time

    for number in range(2000):
        os.close(os.open(f"/workspace/{number}", os.O_CREAT))
    time.sleep(given["patience"])
    return "2000 files"


def open_files_without_end(given: Given) -> object:
    import os

    return len([os.dup(0) for _ in range(400)])


def lock_memory(given: Given) -> object:
    import ctypes
    import mmap

    page = mmap.mmap(-1, 4096)
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CDLL(None).mlock(ctypes.c_void_p(at), 4096) == 0 and "a page is locked"


def queue_messages_in_the_kernel(given: Given) -> object:
    import ctypes

    return ctypes.CDLL("librt.so.1").mq_open(b"/queued", 0o102, 0o600, None) >= 0 and "a queue was made"


def leave_a_dump_to_the_host(given: Given) -> object:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    return most != 1 and f"dumps of {most} bytes"


def compute_for_ever_and_ignore_the_warning(given: Given) -> object:
    import signal
    import time

    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while time.process_time() < 1.3:
        pass
    return "more time than there was"


def sleep_for_ever(given: Given) -> object:
    import time

    time.sleep(0.6 + given["patience"])
    return "more time than there was"


def talk_for_ever(given: Given) -> object:
    import sys

    for _ in range(2000):
        sys.stdout.write("x" * 99 + "\n")
    sys.stdout.flush()
    return "more words than allowed"


def raise_the_limits(given: Given) -> object:
    import resource

    wanted = 100 * 2**30
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, wanted))
    except ValueError:
        return ""
    return "the limit was raised"


_SMALL = Limits(memory_bytes=70 * _MEGABYTE, disk_bytes=20 * _MEGABYTE, file_bytes=2 * _MEGABYTE, inodes=500)
_FILES = Limits(memory_bytes=50 * _MEGABYTE, disk_bytes=20 * _MEGABYTE)
_ROOMY = Limits(disk_bytes=20 * _MEGABYTE)
ATTACKS = (
    Attack(number="20", run=fork_without_end, walls=(Wall.LIMIT_NPROC,), limits=Limits(processes=16)),
    Attack(number="21", run=make_threads_without_end, walls=(Wall.LIMIT_NPROC,), limits=Limits(processes=16)),
    Attack(number="22", run=reserve_more_than_there_is, walls=(Wall.LIMIT_AS,), limits=_SMALL),
    Attack(number="23", run=share_memory_between_many, walls=(Wall.WATCH,), limits=_SMALL, ended_by=Killer.MEMORY),
    Attack(number="23a", run=fill_memory_with_files, walls=(Wall.WATCH,), limits=_FILES, ended_by=Killer.MEMORY),
    Attack(number="23b", run=hide_memory_in_files_without_names, walls=(Wall.FILTER,), limits=_FILES),
    Attack(number="23c", run=hide_memory_nobody_maps, walls=(Wall.WATCH,), limits=_FILES, ended_by=Killer.MEMORY),
    Attack(number="23f", run=hide_memory_in_sockets, walls=(Wall.WATCH,), limits=_FILES, ended_by=Killer.MEMORY),
    Attack(number="23d", run=hide_memory_in_segments, walls=(Wall.FILTER,)),
    Attack(number="23e", run=hide_memory_in_messages, walls=(Wall.FILTER,)),
    Attack(number="24", run=fill_the_workspace, walls=(Wall.SIZES,), limits=_ROOMY),
    Attack(number="24a", run=fill_the_scratch_folder, walls=(Wall.SIZES,)),
    Attack(number="24b", run=fill_the_shared_memory_folder, walls=(Wall.SIZES,)),
    Attack(number="25", run=write_one_huge_file, walls=(Wall.LIMIT_FSIZE,), limits=_SMALL),
    Attack(number="26", run=make_files_without_end, walls=(Wall.WATCH,), limits=_SMALL, ended_by=Killer.INODES),
    Attack(number="26a", run=open_files_without_end, walls=(Wall.LIMIT_NOFILE,)),
    Attack(number="26b", run=lock_memory, walls=(Wall.LIMIT_MEMLOCK,)),
    Attack(number="26c", run=queue_messages_in_the_kernel, walls=(Wall.LIMIT_MSGQUEUE,)),
    Attack(number="26d", run=raise_the_limits, walls=(Wall.LIMIT_AS,)),
    Attack(
        number="27",
        run=compute_for_ever_and_ignore_the_warning,
        walls=(Wall.LIMIT_CPU,),
        limits=Limits(cpu_seconds=1, wall_seconds=60),
        ended_by=Killer.CPU,
    ),
    Attack(
        number="27a", run=sleep_for_ever, walls=(Wall.WATCH,), limits=Limits(wall_seconds=0.3), ended_by=Killer.WALL
    ),
    Attack(
        number="29", run=talk_for_ever, walls=(Wall.WATCH,), limits=Limits(output_bytes=10_000), ended_by=Killer.OUTPUT
    ),
    Attack(number="56", run=leave_a_dump_to_the_host, walls=(Wall.LIMIT_CORE,)),
)
