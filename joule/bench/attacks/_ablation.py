"""Runs code within walls of which some are taken out: built here from the product's own options, which know no such thing.

Every taking out fails loudly when what it takes out is not there, so that a control cannot become empty unseen.
"""

import asyncio
import os
import platform
import pty
import resource
import signal
import subprocess
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from joule.bench.attacks.attack import Given, Wall
from sandbox.contract import SandboxSpec
from sandbox.local import bwrap
from sandbox.local.seccomp import program

_PATIENCE = 60.0  # seconds: an end, not a measure
_OF_THE_HOST = ("/home", "/root", "/var", "/boot", "/sys", "/etc/shadow")


async def run(code: str, given: Given, *, spec: SandboxSpec, missing: Collection[Wall], with_folder: bool) -> str:
    """What `code` says when all walls but the `missing` ones stand. There is no watch, and no guest."""
    given_in = os.memfd_create("code")
    try:
        limits = {name: value for name, value in _limits(spec).items() if f"LIMIT_{name}" not in _names(missing)}
        os.write(
            given_in,
            f"import resource\nfor n, v in {limits!r}.items():\n    resource.setrlimit(getattr(resource, 'RLIMIT_' + n), v)\n".encode(),
        )
        os.write(given_in, code.encode())
        os.lseek(given_in, 0, os.SEEK_SET)
        process = started(given_in, given, spec=spec, missing=missing, with_folder=with_folder)
    finally:
        os.close(given_in)
    try:
        async with asyncio.timeout(_PATIENCE):
            said, complaint = await asyncio.to_thread(process.communicate)
            return (said + complaint[-500:]).decode(errors="replace")
    except TimeoutError:
        return "no end in sight"
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def without(options: Sequence[str], *part: str, by: Sequence[str] = ()) -> list[str]:
    """`options` with `part`, which must be there, taken out or replaced."""
    for at in range(len(options)):
        if tuple(options[at : at + len(part)]) == part:
            return [*options[:at], *by, *options[at + len(part) :]]
    raise ValueError(f"there is no {' '.join(part)} to take out")


def options(spec: SandboxSpec, given: Given, missing: Collection[Wall], *, with_folder: bool) -> list[str]:
    """Bubblewrap's options without the `missing` walls."""
    found = bwrap.walls(spec, bwrap.interpreter(), Path(given["pack"]) if with_folder else None)
    for wall, flags in (
        (Wall.NETWORK, ("--unshare-net",)),
        (Wall.SHARED_MEMORY, ("--unshare-ipc",)),
        (Wall.NAMESPACES, ("--disable-userns",)),
        (Wall.ENVIRONMENT, ("--clearenv",)),
        (Wall.TERMINAL, ("--new-session",)),
        (Wall.LIFE, ("--die-with-parent",)),
    ):
        if wall in missing:
            found = without(found, *flags)
    if Wall.HOST_NAME in missing:
        found = without(without(found, "--hostname", "sandbox"), "--unshare-uts")
    if Wall.PROCESSES in missing:
        found = without(found, "--unshare-pid")
        found = without(found, "--proc", "/proc", by=("--ro-bind", "/proc", "/proc"))
        found = without(found, "--disable-userns")  # it needs a /proc that can be written
    if Wall.DEVICES in missing:
        found = without(found, "--dev", "/dev", by=("--dev-bind", "/dev", "/dev"))
    if Wall.READ_ONLY in missing:
        found = without(found, "--ro-bind", "/usr", "/usr", by=("--bind", "/usr", "/usr"))
        if with_folder:
            found = without(found, "--ro-bind", given["pack"], "/opt/site", by=("--bind", given["pack"], "/opt/site"))
    if Wall.SIZES in missing:
        while "--size" in found:
            at = found.index("--size")
            found = [*found[:at], *found[at + 2 :]]
    if Wall.TREE in missing:
        for name in (*_OF_THE_HOST, given["folder"], "/dev/shm"):
            found += ["--ro-bind-try", name, name]
    if Wall.CAPABILITIES in missing:
        for which in ("--uid", "--gid"):  # another user than root gets a namespace within, where they reach nothing
            found = without(found, which, str(bwrap.INSIDE_UID), by=(which, "0"))
        found += ["--cap-add", "ALL"]
    return found


def started(
    code: int, given: Given, *, spec: SandboxSpec, missing: Collection[Wall], with_folder: bool
) -> "subprocess.Popen[bytes]":
    handed = [code]

    def hand(content: bytes) -> str:
        handle = os.memfd_create("joule")
        handed.append(handle)
        os.write(handle, content)
        os.lseek(handle, 0, os.SEEK_SET)
        return str(handle)

    environment = {"SECRET": given["mark"]} if Wall.ENVIRONMENT in missing else {}
    python = [bwrap.interpreter().program, "-I", "-X", "utf8", "-"]
    if Wall.ALL in missing:
        command, executable, user = python, python[0], None if given.get("as_root") else bwrap.unused_user()
    else:
        chosen = options(spec, given, missing, with_folder=with_folder)
        if Wall.ROOT in missing:
            chosen += ["--file", hand(b""), "/opt/joule/agent.py"]
        else:
            chosen += ["--remount-ro", "/"]
        if Wall.FILTER not in missing:
            chosen += ["--seccomp", hand(program(platform.machine()))]
        if Wall.ARGUMENTS not in missing:
            chosen = ["--args", hand(b"".join(each.encode() + b"\0" for each in chosen))]
        command, executable = ["bwrap", *chosen, "--", *python], bwrap.bubblewrap()
        user = None if Wall.USER in missing else bwrap.unused_user()
    if Wall.DESCRIPTORS in missing:
        handed.append(os.open(given["secret"], os.O_RDONLY))
    main, terminal = pty.openpty() if Wall.TERMINAL in missing else (-1, -1)
    dumps = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        if Wall.LIMIT_CORE in missing and os.geteuid() == 0:
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY))
        return subprocess.Popen(
            command,
            executable=executable,
            stdin=code,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            pass_fds=handed[1:],
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            preexec_fn=(lambda: _take_terminal(terminal)) if Wall.TERMINAL in missing else None,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, dumps)
        for handle in handed[1:]:
            os.close(handle)
        if terminal >= 0:
            given.setdefault("_terminals", []).append(main)  # open until the ground is left
            os.close(terminal)


def _take_terminal(terminal: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _limits(spec: SandboxSpec) -> dict[str, tuple[int, int]]:
    found = {name: (value, value) for name, value in bwrap.limits(spec).items()}
    return {**found, "CPU": (spec.limits.cpu_seconds, spec.limits.cpu_seconds)}


def _names(missing: Collection[Wall]) -> set[str]:
    return {each.name for each in missing}
