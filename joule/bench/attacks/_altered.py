"""Sandboxes whose guest lacks one of its cares, and processes that try to outlive them."""

import asyncio
import json
import os
import platform
import signal
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from joule.bench.attacks import _ablation
from joule.bench.attacks.attack import Given, Wall
from joule.kernel.clock import SystemClock
from sandbox.contract import Exited, SandboxId, SandboxSpec
from sandbox.local import bwrap
from sandbox.local.seccomp import program
from sandbox.local.session import LocalSandbox
from sandbox.local.wire import MOST, Wire

DAEMON = (
    "import os, signal, time\n"
    "if (child := os.fork()) == 0:\n"
    "    os.setsid()\n"
    "    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(each, signal.SIG_IGN)\n"
    "    for each in range(3): os.close(each)\n"
    "    time.sleep(60)\n"
    "    os._exit(0)\n"
    "print('pid', child, flush=True)\n"
)
_SPEC = SandboxSpec()
_SOON = 15.0  # seconds something has to vanish


@asynccontextmanager
async def a_sandbox(given: Given, *alterations: tuple[str, str]) -> AsyncIterator[LocalSandbox]:
    """A sandbox with all its walls; the guest's program is altered, each time at a place that must be there."""
    guest = bwrap.guest().decode()
    for old, new in alterations:
        if old not in guest:
            raise ValueError(f"the guest has no {old!r} to take out")
        guest = guest.replace(old, new)
    python = bwrap.interpreter()
    ours, theirs = socket.socketpair()
    with theirs:
        settings = json.dumps({"limits": bwrap.limits(_SPEC), "pack": False, "imports": []})
        process = bwrap.spawn(
            bwrap.walls(_SPEC, python, None),
            {"/opt/joule/agent.py": guest.encode(), "/etc/passwd": b"sandbox:x:1000:1000::/:/bin/sh\n"},
            program(platform.machine()),
            [python.program, "-I", "-X", "utf8", "/opt/joule/agent.py", str(theirs.fileno()), settings],
            connection=theirs.fileno(),
        )
    reader, writer = await asyncio.open_connection(sock=ours, limit=MOST)
    sandbox = LocalSandbox(
        name=SandboxId(uuid4().hex), spec=_SPEC, process=process, wire=Wire(reader, writer), clock=SystemClock()
    )
    try:
        async with asyncio.timeout(_SOON):
            await sandbox._answer()
        yield sandbox
    finally:
        await sandbox.kill()


async def said(sandbox: LocalSandbox, code: str) -> str:
    """What code says on its first stream."""
    found = b""
    async for event in sandbox.run_python(code):
        if not isinstance(event, Exited):
            found += event.data
    return found.decode(errors="replace")


async def end_of(sandbox: LocalSandbox, code: str) -> Exited:
    """How code ends. An end the guest forges is one too."""
    async for event in sandbox.run_python(code):
        if isinstance(event, Exited):
            return event
    raise ValueError("no end was told")


def below(leader: int) -> list[int]:
    """All processes a process has started, by the kernel's own account."""
    found = [leader]
    for each in found:
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{thread}/children", encoding="ascii") as told:
                    found += [int(child) for child in told.read().split()]
    return found[1:]


async def are_gone(processes: Collection[int]) -> bool:
    """Whether they all end within a time that is long enough."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_SOON):
            while any(_is_alive(each) for each in processes):  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.02)
            return True
    return False


async def outlives(given: Given) -> bool:
    """Whether a daemon outlives a sandbox that has no process numbers of its own. It is ended here."""
    told = await _ablation.run(DAEMON, given, spec=_SPEC, missing=(Wall.PROCESSES,), with_folder=False)
    daemon = int(told.split("pid ")[1].split()[0])
    lives = _is_alive(daemon)
    with suppress(ProcessLookupError):
        os.kill(daemon, signal.SIGKILL)
    return lives


async def outlives_its_maker(given: Given, *, missing: Collection[Wall]) -> bool:
    """Whether what runs in a sandbox outlives the process that started it, killed without a chance to clean up."""
    out, into = os.pipe()
    maker = os.fork()
    if maker == 0:
        try:
            code = os.memfd_create("code")
            os.write(code, b"import time; time.sleep(60)")
            os.lseek(code, 0, os.SEEK_SET)
            process = _ablation.started(code, given, spec=_SPEC, missing=missing, with_folder=False)
            os.write(into, b"%d\n" % process.pid)
            signal.pause()
        finally:
            os._exit(1)
    os.close(into)
    leader = int(await asyncio.to_thread(os.read, out, 100))
    os.close(out)
    started: list[int] = []
    async with asyncio.timeout(_SOON):
        while len(started := below(leader)) < 2:  # noqa: ASYNC110 - the first process inside, and the program
            await asyncio.sleep(0.02)
    os.kill(maker, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, maker, 0)
    if missing:
        await asyncio.sleep(0.3)
        lives = any(_is_alive(each) for each in started)
        for each in (leader, *started):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        return lives
    return not await are_gone([leader, *started])


def _is_alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as told:
            return told.read().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
