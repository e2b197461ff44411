"""Attempts on the host by what a guest answers: the attacker speaks in its place, over the same wire."""

import asyncio
import json
import os
import pickle
import signal
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from joule.bench.attacks._altered import end_of
from joule.bench.attacks.attack import Given, Siege
from joule.kernel.clock import SystemClock
from sandbox.contract import Entry, Exited, SandboxId, SandboxSpec
from sandbox.errors import ProtocolBroken, QuotaExceeded
from sandbox.local.session import LocalSandbox
from sandbox.local.wire import MOST, Wire, parsed


@asynccontextmanager
async def _taken_over() -> AsyncIterator[tuple[LocalSandbox, socket.socket]]:
    """A sandbox whose guest is the attacker: what it sends is whatever the attacker likes."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True, stderr=subprocess.PIPE)  # noqa: ASYNC220
    reader, writer = await asyncio.open_connection(sock=ours, limit=MOST)
    wire = Wire(reader, writer)
    sandbox = LocalSandbox(
        name=SandboxId(uuid4().hex), spec=SandboxSpec(), process=process, wire=wire, clock=SystemClock()
    )
    try:
        yield sandbox, theirs
    finally:
        await sandbox.kill()
        theirs.close()


def _frame(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">cI", kind, len(body) if length is None else length) + body


async def send_a_frame_without_end(given: Given) -> bool:
    async with _taken_over() as (sandbox, guest):
        guest.sendall(_frame(b"k", b"", length=2**32 - 1))
        try:
            await sandbox.listed()
        except ProtocolBroken:
            return not sandbox.is_gone
        return True


async def _believed_the_length(given: Given) -> bool:
    """Reads as many bytes as the guest says there are: waits for four gigabytes, and keeps all that come."""
    reader = asyncio.StreamReader()
    reader.feed_data(_frame(b"k", bytes(1000), length=2**32 - 1))
    length = struct.unpack(">cI", await reader.readexactly(5))[1]
    try:
        async with asyncio.timeout(0.05):
            await reader.readexactly(length)
    except TimeoutError:
        return True
    return False


_NAMES = ("../up", "/etc/passwd", "a\nb", "\x1b[31mred", "a/../../b", "x" * 300, "a\u202egnp.exe", "C:\\x", "./here")


async def make_up_names(given: Given) -> bool:
    async with _taken_over() as (sandbox, guest):
        guest.sendall(_frame(b"k", json.dumps([[name, 1] for name in _NAMES]).encode()))
        return await sandbox.listed() != () or any(each.refused is None for each in await _odd(sandbox, guest))


async def _odd(sandbox: LocalSandbox, guest: socket.socket) -> tuple[Entry, ...]:
    guest.sendall(_frame(b"k", json.dumps([[name, 1] for name in _NAMES]).encode()))
    return await sandbox.listed(odd=True)


async def _believed_the_names(given: Given) -> bool:
    """Joins them to a folder of the host, as a tar is unpacked."""
    folder = Path(given["folder"])
    return any(not (folder / name).resolve().is_relative_to(folder) for name in _NAMES)


async def list_more_than_was_asked_for(given: Given) -> bool:
    async with _taken_over() as (sandbox, guest):
        guest.sendall(_frame(b"k", json.dumps([["a", 1]] * 1001).encode()))
        try:
            await sandbox.listed(limit=1000)
        except ProtocolBroken:
            return False
        return True


async def _believed_the_list(given: Given) -> bool:
    return len(json.loads(json.dumps([["a", 1]] * 1001))) > 1000


async def send_more_than_was_asked_for(given: Given) -> bool:
    async with _taken_over() as (sandbox, guest):
        guest.sendall(_frame(b"d", b"x" * 600) * 2 + _frame(b"k", b"{}"))
        try:
            await sandbox.read("file", limit=1000)
        except QuotaExceeded:
            return False
        return True


async def _took_all_that_came(given: Given) -> bool:
    return len(b"x" * 600 * 2) > 1000


async def nest_an_answer_too_deep(given: Given) -> bool:
    try:
        parsed(b"[" * 100_000)
    except ProtocolBroken:
        return False
    return True


async def _read_it_as_it_is(given: Given) -> bool:
    try:
        json.loads(b"[" * 100_000)
    except RecursionError:
        return True
    return False


class _Trap:
    """An object that runs code in whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (str.upper, ("loaded",))


async def send_an_object_that_runs_code(given: Given) -> bool:
    async with _taken_over() as (sandbox, guest):
        guest.sendall(_frame(b"k", pickle.dumps(_Trap())))
        try:
            await sandbox.listed()
        except ProtocolBroken:
            return False
        return True


async def _loaded_objects(given: Given) -> bool:
    return bool(pickle.loads(pickle.dumps(_Trap())) == "LOADED")  # noqa: S301


async def end_by_signals_that_do_not_exist(given: Given) -> bool:
    async with _taken_over() as (sandbox, guest):
        guest.sendall(_frame(b"x", b'{"code": 99999, "signal": -4}'))
        try:
            return isinstance(await end_of(sandbox, ""), Exited)
        except ProtocolBroken:
            return False


async def _believed_the_end(given: Given) -> bool:
    try:
        os.WTERMSIG(json.loads(b'{"signal": -4}')["signal"])
        signal.Signals(json.loads(b'{"signal": -4}')["signal"])
    except ValueError:
        return True
    return False


ATTACKS = (
    Siege(number="72", run=send_a_frame_without_end, without=_believed_the_length),
    Siege(number="63", run=make_up_names, without=_believed_the_names),
    Siege(number="63a", run=list_more_than_was_asked_for, without=_believed_the_list),
    Siege(number="71", run=send_more_than_was_asked_for, without=_took_all_that_came),
    Siege(number="72a", run=nest_an_answer_too_deep, without=_read_it_as_it_is),
    Siege(number="72b", run=end_by_signals_that_do_not_exist, without=_believed_the_end),
    Siege(number="75", run=send_an_object_that_runs_code, without=_loaded_objects),
)
