"""The backend `local` keeps the contract of all backends, and what is its own."""

import asyncio
import json
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta

import psutil
import pytest

from sandbox.contract import Killer, Limits, SandboxId, SandboxSpec
from sandbox.errors import ProtocolBroken, QuotaExceeded, SandboxGone, SandboxUnavailable
from sandbox.local.backend import LocalBackend
from sandbox.local.session import LocalSandbox
from sandbox.local.wire import MOST, Wire
from sandbox.testing import CHECKS, Check, a_sandbox, run
from tests.support.clock import StoppedClock


@pytest.fixture
async def backend(clock: StoppedClock) -> AsyncIterator[LocalBackend]:
    found = LocalBackend(clock=clock)
    yield found
    await found.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract(backend: LocalBackend, check: Check):
    await check(backend)


@pytest.mark.parametrize(
    ("limits", "code", "killer"),
    [
        (Limits(cpu_seconds=1), "while True: pass", Killer.CPU),
        (Limits(memory_bytes=100 * 2**20), "x = bytearray(150_000_000)\nimport time; time.sleep(60)", Killer.MEMORY),
        (
            Limits(inodes=200),
            "import time\nfor n in range(1000): open(str(n), 'w').close()\ntime.sleep(60)",
            Killer.INODES,
        ),
    ],
    ids=["processor", "memory", "files"],
)
async def test_a_job_that_takes_too_much_is_ended(backend, limits: Limits, code: str, killer: Killer):
    async with a_sandbox(backend, limits) as sandbox:
        _, _, ended = await run(sandbox, code)

    assert ended.killed_by is killer


async def test_an_ended_job_leaves_the_files_and_no_process(backend: LocalBackend):
    lingering = (
        "import os, time\nopen('kept', 'w').write('x')\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n"
    )
    async with a_sandbox(backend) as sandbox:
        await run(sandbox, lingering)
        await run(sandbox, lingering + "time.sleep(60)", wall_seconds=0.3)
        out, _, _ = await run(
            sandbox, "import os; print(open('kept').read(), len([p for p in os.listdir('/proc') if p.isdigit()]))"
        )

    assert out == "x 3\n"  # the first process of the sandbox, the guest's agent, and the one that counts


async def test_nothing_is_left_of_a_sandbox_that_was_ended(backend: LocalBackend):
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    sandbox = await backend.create(SandboxSpec(), key="k")
    started = {each.pid for each in psutil.Process().children(recursive=True)} - before
    await sandbox.kill()

    assert len(started) >= 2
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in started if psutil.pid_exists(pid)], timeout=10)
    assert alive == []


async def test_it_ends_when_nobody_used_it_for_its_time(backend: LocalBackend, clock: StoppedClock):
    sandbox = await backend.create(SandboxSpec(ttl_seconds=60), key="k")
    clock.advance(timedelta(seconds=59))
    await run(sandbox, "print(1)")
    clock.advance(timedelta(seconds=59))
    assert (await backend.attach(sandbox.id)).id == sandbox.id

    clock.advance(timedelta(seconds=61))

    with pytest.raises(SandboxGone):
        await backend.attach(sandbox.id)
    assert await backend.listed() == ()


async def test_without_the_pack_the_error_names_the_command(backend: LocalBackend):
    with pytest.raises(SandboxUnavailable) as raised:
        await backend.create(SandboxSpec(with_pack=True), key="k")

    assert "joule sandbox install-pack" in raised.value.advice()


@pytest.fixture
async def taken_over(clock: StoppedClock) -> AsyncIterator[tuple[LocalSandbox, socket.socket]]:
    """A sandbox whose guest an attacker has taken over: the test speaks in its place."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(["sleep", "600"], start_new_session=True, stderr=subprocess.PIPE)  # noqa: ASYNC220
    reader, writer = await asyncio.open_connection(sock=ours, limit=MOST)
    sandbox = LocalSandbox(
        name=SandboxId("s"), spec=SandboxSpec(), process=process, wire=Wire(reader, writer), clock=clock
    )
    yield sandbox, theirs
    await sandbox.kill()
    theirs.close()


def frame(kind: bytes, body: bytes, *, length: int | None = None) -> bytes:
    return struct.pack(">cI", kind, len(body) if length is None else length) + body


@pytest.mark.parametrize(
    "answer",
    [
        frame(b"z", b""),
        frame(b"k", b"", length=2**32 - 1),
        frame(b"k", b"not json"),
        frame(b"k", b"[" * 100_000),
        frame(b"k", b'{"no": "list"}'),
        frame(b"k", b'[["a", -1]]'),
        frame(b"k", b'[["a"]]'),
        frame(b"x", b"{}"),
        frame(b"o", b"unasked"),
        frame(b"r", b'{"errno": "x"}'),
    ],
    ids=["kind", "length", "json", "deep", "no list", "size", "half", "end", "output", "error"],
)
async def test_a_guest_that_answers_nonsense_is_ended(taken_over, answer: bytes):
    sandbox, guest = taken_over
    guest.sendall(answer)

    with pytest.raises(ProtocolBroken):
        await sandbox.listed()
    assert sandbox.is_gone


async def test_names_a_guest_makes_up_are_left_out(taken_over):
    sandbox, guest = taken_over
    names = ["../up", "/etc/passwd", "a\nb", "\x1b[31m", "plain.csv", "x" * 300, "\ud800"]
    guest.sendall(frame(b"k", json.dumps([[name, 1] for name in names]).encode()))

    assert [each.path for each in await sandbox.listed()] == ["plain.csv"]


async def test_a_guest_that_sends_more_than_it_was_asked_for_is_ended(taken_over):
    sandbox, guest = taken_over
    guest.sendall(frame(b"d", b"x" * 600) * 2)

    with pytest.raises(QuotaExceeded):
        await sandbox.read("file", limit=1000)
    assert sandbox.is_gone
