"""Attempts on the host by a guest that lies, lingers or leaves traps, each beside the naive way it would have worked on."""

import asyncio
import json
import os
import pickle
import signal
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from joule.bench import _race
from joule.bench.attacks import _altered
from joule.bench.attacks._altered import a_sandbox, end_of, said
from joule.bench.attacks.attack import Given, Siege, Wall
from joule.kernel.clock import SystemClock
from sandbox.contract import Exited, SandboxId, SandboxSpec
from sandbox.errors import PathRefused, ProtocolBroken, QuotaExceeded
from sandbox.local.session import LocalSandbox
from sandbox.local.wire import MOST, Wire, parsed

_FOLLOWING = (("| os.O_NOFOLLOW ", ""), ("| os.O_NOFOLLOW, dir_fd", ", dir_fd"))  # the guest without its care
_ENDS_NO_OTHERS = ("os.kill(-1, signal.SIGKILL)", "return")
_TRAPS = "import os\nos.symlink('/etc/passwd','link')\nos.symlink('/etc','folder')\nos.mkfifo('pipe')\n"


async def _reads(given: Given, path: str, *alterations: tuple[str, str]) -> bool:
    async with a_sandbox(given, *alterations) as sandbox:
        await said(sandbox, _TRAPS)
        with suppress(PathRefused, TimeoutError):
            async with asyncio.timeout(1 if path == "pipe" else 20):
                return bool(await sandbox.read(path, limit=10_000))
        return False


async def give_a_link_for_a_file(given: Given) -> bool:
    return await _reads(given, "link")


async def _followed_links(given: Given) -> bool:
    return await _reads(given, "link", *_FOLLOWING)


async def give_a_file_behind_a_linked_folder(given: Given) -> bool:
    return await _reads(given, "folder/passwd")


async def _followed_folders(given: Given) -> bool:
    return await _reads(given, "folder/passwd", *_FOLLOWING)


async def _hangs(given: Given, *alterations: tuple[str, str]) -> bool:
    async with a_sandbox(given, *alterations) as sandbox:
        await said(sandbox, _TRAPS)
        try:
            async with asyncio.timeout(2 if alterations else 20):
                await sandbox.read("pipe", limit=10)
        except PathRefused:
            return False
        except TimeoutError:
            return True
        return True


async def give_a_pipe_that_never_speaks(given: Given) -> bool:
    return await _hangs(given)


async def _waited_for_a_pipe(given: Given) -> bool:
    return await _hangs(given, ("| os.O_NONBLOCK", ""))


async def swap_a_file_for_a_link_while_it_is_opened(given: Given) -> bool:
    return await _race.leaks(2_000, way="plain") > 0


async def _looked_then_opened(given: Given) -> bool:
    return await _race.leaks(200_000, way="naive", until_first=True) > 0


async def forge_the_end_of_a_job(given: Given) -> bool:
    return await _forges(given)


async def _gave_jobs_the_line(given: Given) -> bool:
    return await _forges(given, ("        connection.close()\n", ""), ("        os.closerange(3, 256)\n", ""))


async def _forges(given: Given, *alterations: tuple[str, str]) -> bool:
    frame = struct.pack(">cI", b"x", len(told := json.dumps({"code": 77, "signal": None}).encode())) + told
    code = (
        "import os, socket, time\n"
        "for each in range(3, 256):\n"
        "    try:\n"
        f"        socket.socket(fileno=each).sendall({frame!r})\n"
        "        time.sleep(60)\n"
        "    except OSError:\n"
        "        continue\n"
    )
    async with a_sandbox(given, *alterations) as sandbox:
        return (await end_of(sandbox, code)).code == 77


async def print_what_looks_like_an_end(given: Given) -> bool:
    """Words of a job that are frames stay words."""
    async with a_sandbox(given) as sandbox:
        return (await end_of(sandbox, _PRINTS)).code == 77


async def _took_words_for_frames(given: Given) -> bool:
    altered = ("send(connection, streams[each], part)", "connection.sendall(part)")
    async with a_sandbox(given, altered) as sandbox:
        return (await end_of(sandbox, _PRINTS)).code == 77


_PRINTS = (
    "import os, struct, time\n"
    'told = b\'{"code": 77, "signal": null}\'\n'
    "os.write(1, struct.pack('>cI', b'x', len(told)) + told)\n"
    "time.sleep(0.5)\n"
)


async def stay_for_the_next_job(given: Given) -> bool:
    return await _stays(given)


async def _ended_no_others(given: Given) -> bool:
    return await _stays(given, _ENDS_NO_OTHERS)


async def _stays(given: Given, *alterations: tuple[str, str]) -> bool:
    lingering = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    for n in range(3): os.close(n)\n    time.sleep(60)\n"
    )
    async with a_sandbox(given, *alterations) as sandbox:
        await said(sandbox, lingering)
        count = "import os; print(len([each for each in os.listdir('/proc') if each.isdigit()]))"
        return int(await said(sandbox, count)) > 3  # the first process, the guest, and the one that counts


async def outlive_the_sandbox(given: Given) -> bool:
    async with a_sandbox(given, _ENDS_NO_OTHERS) as sandbox:  # so that it lives until the end
        await said(sandbox, _altered.DAEMON)
        inside = _altered.below(sandbox._process.pid)
        await sandbox.kill()
        return len(inside) < 3 or not await _altered.are_gone(inside)


async def _had_no_numbers_of_its_own(given: Given) -> bool:
    return await _altered.outlives(given)


async def outlive_the_host(given: Given) -> bool:
    return await _altered.outlives_its_maker(given, missing=())


async def _was_not_told_to_die(given: Given) -> bool:
    return await _altered.outlives_its_maker(given, missing=(Wall.LIFE,))


async def read_what_another_sandbox_holds(given: Given) -> bool:
    async with a_sandbox(given) as one, a_sandbox(given) as other:
        await one.write("secret", b"of one")
        return bool((await said(other, "import os; print(os.path.exists('/workspace/secret') or '')")).strip())


async def _shared_one_workspace(given: Given) -> bool:
    async with a_sandbox(given) as only:
        await only.write("secret", b"of one")
        return bool((await said(only, "import os; print(os.path.exists('/workspace/secret') or '')")).strip())


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
        return await sandbox.listed() != ()


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


_GUEST = (Wall.GUEST,)
ATTACKS = (
    Siege(number="57", run=give_a_link_for_a_file, without=_followed_links, walls=_GUEST),
    Siege(number="58", run=give_a_file_behind_a_linked_folder, without=_followed_folders, walls=_GUEST),
    Siege(number="61", run=give_a_pipe_that_never_speaks, without=_waited_for_a_pipe, walls=_GUEST),
    Siege(number="62", run=swap_a_file_for_a_link_while_it_is_opened, without=_looked_then_opened, walls=_GUEST),
    Siege(number="79", run=forge_the_end_of_a_job, without=_gave_jobs_the_line, walls=_GUEST),
    Siege(number="79a", run=print_what_looks_like_an_end, without=_took_words_for_frames, walls=_GUEST),
    Siege(number="80", run=stay_for_the_next_job, without=_ended_no_others, walls=_GUEST),
    Siege(number="28", run=outlive_the_sandbox, without=_had_no_numbers_of_its_own, walls=(Wall.PROCESSES,)),
    Siege(number="73", run=outlive_the_host, without=_was_not_told_to_die, walls=(Wall.LIFE,)),
    Siege(number="69", run=read_what_another_sandbox_holds, without=_shared_one_workspace, walls=(Wall.TREE,)),
    Siege(number="72", run=send_a_frame_without_end, without=_believed_the_length),
    Siege(number="63", run=make_up_names, without=_believed_the_names),
    Siege(number="63a", run=list_more_than_was_asked_for, without=_believed_the_list),
    Siege(number="71", run=send_more_than_was_asked_for, without=_took_all_that_came),
    Siege(number="72a", run=nest_an_answer_too_deep, without=_read_it_as_it_is),
    Siege(number="72b", run=end_by_signals_that_do_not_exist, without=_believed_the_end),
    Siege(number="75", run=send_an_object_that_runs_code, without=_loaded_objects),
)
