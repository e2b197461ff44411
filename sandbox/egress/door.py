"""The proxy as a sandbox sees it: one Unix socket of its own, behind which each request becomes an action at the gate.

Nobody can say through a door who they are: the door knows whose sandbox it belongs to, and answers only while a command
of theirs runs. Lengths are bounded before anything is read, and what is asked at once, in one run, and how long it may take.
"""

import asyncio
import json
import logging
import os
import shutil
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from joule.kernel.action import Action
from joule.kernel.errors import JouleError
from joule.kernel.ids import ProjectId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal
from sandbox.egress import asking
from sandbox.egress.actions import ReachOut
from sandbox.egress.errors import RequestRefused
from sandbox.egress.results import Reached, Reply

log = logging.getLogger("joule.sandbox")

LINE: Final = "line"
_LENGTH: Final = struct.Struct(">I")
_AT_ONCE, _OPEN = 4, 16  # requests under way, connections
_IN_ONE_RUN = 200  # requests
_BYTES_OUT, _BYTES_IN = 20 * 2**20, 100 * 2**20  # of one run
_SPEAKS_WITHIN = 10.0  # seconds for a whole request to come through
_PREFIX = "joule-door-"

Perform = Callable[[Action[Reached]], Awaitable[Reached]]


@dataclass(frozen=True, kw_only=True)
class Leave:
    """For whom a command runs while the door is open. `heard` is told the label of what comes in, before it does."""

    principal: Principal
    project: ProjectId
    task: TaskId
    label: Callable[[], Label]
    heard: Callable[[Label], Awaitable[None]]


class Door:
    """The way out of one session's sandbox. `folder` is bound into it, and holds the socket and nothing else."""

    def __init__(self, *, session: UUID, perform: Perform, taken: Callable[[UUID], Reply | None]) -> None:
        self._session, self._perform, self._taken = session, perform, taken
        self._leave: Leave | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._left = {"requests": 0, "out": 0, "in": 0}
        self._around: Path | None = None
        self._server: asyncio.Server | None = None

    @property
    def folder(self) -> Path:
        if self._around is None:
            raise RuntimeError("the door is not there")
        return self._around / "d"

    async def open(self) -> None:
        """Put the socket there. The folder around it is closed to everybody else on the machine."""
        self._around = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"{_PREFIX}{os.getpid()}-"))
        self.folder.mkdir(mode=0o711)
        self.folder.chmod(0o711)
        path = self.folder / LINE
        self._server = await asyncio.start_unix_server(self._asked, path=path, backlog=_OPEN)
        path.chmod(0o666)  # the sandbox's user is nobody we know; the folder around keeps all others away

    @asynccontextmanager
    async def during(self, leave: Leave) -> AsyncIterator[None]:
        """Answer what is asked while a command runs; what is under way when it ends, ends with it."""
        self._leave = leave
        self._left = {"requests": _IN_ONE_RUN, "out": _BYTES_OUT, "in": _BYTES_IN}
        try:
            yield
        finally:
            self._leave = None
            await self._settled()

    async def close(self) -> None:
        """Take it away. Closing it twice is closing it once."""
        self._leave = None
        if self._server is not None:
            self._server.close()
        await self._settled()
        if self._around is not None:
            await asyncio.to_thread(shutil.rmtree, self._around, ignore_errors=True)

    async def _settled(self) -> None:
        under_way = [each for each in self._under_way if each is not asyncio.current_task()]
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._under_way) >= _OPEN:
            writer.close()
            return
        self._under_way.add(task)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # it went away, or never spoke: nothing was asked
        finally:
            self._under_way.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SPEAKS_WITHIN):
                head = await _part(reader, most=asking.LARGEST_HEAD)
                body = await _part(reader, most=asking.LARGEST_BODY)
            async with self._free:
                reply = await self._reply(asking.asked(head, body))
        except JouleError as problem:
            await _said(writer, {"refused": f"{problem}. {problem.advice()}"})
            return
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            raise
        except Exception as problem:  # noqa: BLE001 - its frames hold what was asked, so it goes no further than its name
            log.error("a request of a sandbox ended in an unforeseen way: %s", type(problem).__name__)
            await _said(writer, {"refused": "it could not be passed on. Try again later."})
            return
        await _said(writer, {"status": reply.status, "headers": reply.headers}, reply.body)

    async def _reply(self, asked: asking.Asked) -> Reply:
        leave = self._leave
        if leave is None:
            raise RequestRefused("no command runs just now")
        self._counted(requests=1, out=len(asked.body))
        action = ReachOut(
            principal=leave.principal,
            project=leave.project,
            label=leave.label(),
            session=self._session,
            of_task=leave.task,
            reply=new_id(),
            host=asked.host,
            port=asked.port,
            method=asked.method,
            path=asked.path,
            headers=asked.headers,
            body=asked.body,
        )
        try:
            reached = await self._perform(action)
        finally:
            reply = self._taken(action.reply)
        if reply is None:
            raise RequestRefused("its answer was lost")
        self._counted(**{"in": len(reply.body)})
        await leave.heard(reached.label)
        return reply

    def _counted(self, **taken: int) -> None:
        for what, number in taken.items():
            self._left[what] -= number
            if self._left[what] < 0:
                raise RequestRefused("one run has asked for more than it may")


def sweep_away() -> None:
    """Remove what processes that are gone left behind. Only folders of our own user."""
    for each in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = each.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):
            if number.isdecimal() and each.stat().st_uid == os.geteuid() and not Path(f"/proc/{number}").exists():
                shutil.rmtree(each, ignore_errors=True)


async def _part(reader: asyncio.StreamReader, *, most: int) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > most:
        raise RequestRefused("it is too long")
    return await reader.readexactly(length)


async def _said(writer: asyncio.StreamWriter, head: dict[str, Any], body: bytes = b"") -> None:
    for part in (json.dumps(head).encode(), body):
        writer.write(_LENGTH.pack(len(part)) + part)
    with suppress(ConnectionError):
        await writer.drain()
