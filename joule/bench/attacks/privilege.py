"""Attempts to become somebody: root, another process, the owner of the kernel's settings or of a terminal."""

from __future__ import annotations

from joule.bench.attacks.attack import Attack, Given, Wall


def become_root_by_a_program_that_may(given: Given) -> object:
    import subprocess

    for program in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount"):
        try:
            process = subprocess.Popen(
                [program], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError:
            continue
        told = open(f"/proc/{process.pid}/status").read()
        process.kill()
        real, effective = told.split("\nUid:\t")[1].split("\t")[:2]
        if real != effective:
            return f"{program} runs as {effective}"
    return ""


def gain_privileges_by_starting_a_program(given: Given) -> object:
    return "\nNoNewPrivs:\t0" in open("/proc/self/status").read() and "a program may gain privileges"


def hold_capabilities(given: Given) -> object:
    told = open("/proc/self/status").read()
    return [line for line in told.splitlines() if line.startswith("Cap") and int(line.split()[1], 16)]


def run_without_a_filter(given: Given) -> object:
    return "\nSeccomp:\t0" in open("/proc/self/status").read() and "no filter on system calls"


def write_a_setting_of_the_kernel(given: Given) -> object:
    import os

    for name in ("sys/vm/drop_caches", "sys/kernel/core_pattern", "sys/kernel/modprobe", "sysrq-trigger"):
        try:
            os.close(os.open(f"/proc/{name}", os.O_WRONLY))  # opened, never written
        except OSError:
            continue
        return f"{name} can be written"
    return ""


def see_processes_of_the_host(given: Given) -> object:
    import os

    return os.path.exists(f"/proc/{given['process']}/comm") and open(f"/proc/{given['process']}/comm").read()


def signal_a_process_of_the_host(given: Given) -> object:
    import os

    os.kill(given["process"], 0)
    return "a process of the host can be ended"


def learn_the_name_of_the_host(given: Given) -> object:
    import socket

    return socket.gethostname() == given["host_name"] and "the host's name"


def read_memory_shared_on_the_host(given: Given) -> object:
    import ctypes

    kernel = ctypes.CDLL(None)
    kernel.shmat.restype = ctypes.c_void_p
    segment = kernel.shmget(given["segment"], 0, 0)
    return segment >= 0 and ctypes.string_at(kernel.shmat(segment, None, 0o10000), 32)


def see_memory_shared_on_the_host(given: Given) -> object:
    return str(given["segment"]) in open("/proc/sysvipc/shm").read().split() and "a segment of the host is listed"


def speak_to_the_terminal(given: Given) -> object:
    import os

    os.close(os.open("/dev/tty", os.O_RDWR))
    return "the terminal of whoever started it"


def give_files_to_somebody_else(given: Given) -> object:
    import os

    made = os.open(given["scratch"], os.O_TMPFILE | os.O_RDWR)
    os.fchown(made, 1, 1)
    return "a file was given to somebody else"


def become_somebody_else(given: Given) -> object:
    import os

    os.setuid(0)
    return f"user {os.getuid()}"


def make_a_device(given: Given) -> object:
    import os

    path = os.path.join(given["scratch"], "device")
    os.mknod(path, 0o020600, os.makedev(1, 1))
    os.unlink(path)
    return "the machine's memory as a device"


def read_addresses_of_the_kernel(given: Given) -> object:
    with open("/proc/kallsyms") as told:
        return any(int(line.split()[0], 16) for _, line in zip(range(50), told, strict=False)) and "addresses"


def read_the_kernels_log(given: Given) -> object:
    import ctypes

    return ctypes.CDLL(None).klogctl(10, None, 0) >= 0 and "the kernel's log"


ATTACKS = (
    Attack(number="48", run=become_root_by_a_program_that_may, walls=(Wall.ALL,)),
    Attack(number="48a", run=become_somebody_else, walls=(Wall.ALL,), only_root=True),
    Attack(number="49", run=hold_capabilities, walls=(Wall.CAPABILITIES,)),
    Attack(number="49a", run=gain_privileges_by_starting_a_program, walls=(Wall.ALL,)),
    Attack(number="49b", run=run_without_a_filter, walls=(Wall.FILTER,)),
    Attack(number="50", run=write_a_setting_of_the_kernel, walls=(Wall.USER,), only_root=True),
    Attack(number="51", run=see_processes_of_the_host, walls=(Wall.PROCESSES,)),
    Attack(number="51a", run=signal_a_process_of_the_host, walls=(Wall.PROCESSES, Wall.USER)),
    Attack(number="52a", run=make_a_device, walls=(Wall.ALL,), only_root=True),
    Attack(number="53", run=read_addresses_of_the_kernel, walls=(Wall.ALL,), only_root=True),
    Attack(number="53a", run=read_the_kernels_log, walls=(Wall.ALL,), only_root=True),
    Attack(number="54", run=give_files_to_somebody_else, walls=(Wall.ALL,), only_root=True),
    Attack(number="76", run=learn_the_name_of_the_host, walls=(Wall.HOST_NAME,)),
    Attack(number="77", run=read_memory_shared_on_the_host, walls=(Wall.FILTER, Wall.SHARED_MEMORY)),
    Attack(number="77a", run=see_memory_shared_on_the_host, walls=(Wall.SHARED_MEMORY,)),
    Attack(number="78", run=speak_to_the_terminal, walls=(Wall.TERMINAL,)),
)
