"""One sandbox at E2B, as it is used here: one command at a time, each under our own clock.

The machine there is the boundary. Limits on time, processor, processes and files are set for each command; how much memory
and disk there is, is the template's. What it says is an attacker's: it is counted, cut and parsed as such.
"""

import asyncio
import re
import shlex
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import e2b

from joule.kernel.clock import Clock
from sandbox import paths
from sandbox.contract import Entry, Event, Exited, Killer, Output, SandboxId, SandboxSpec, Usage
from sandbox.e2b_cloud.calls import SOON, asked, asked_again
from sandbox.e2b_cloud.errors import E2bAway, RunCutOff
from sandbox.e2b_cloud.shell import exited, ulimits
from sandbox.errors import PathRefused, QuotaExceeded, SandboxGone, SandboxUnavailable

WORKSPACE = "/workspace"
_OURS = "/tmp/joule"  # noqa: S108 - there, not here
_LATE = 5.0  # seconds more than a command has, before it is ended from here
_A_FILE = 120.0  # seconds one file may take on its way
_LISTED = re.compile(r"([a-zA-Z?]\d{1,9}) (\d{1,15}) \./([^\0]+)\0")


class E2bSandbox:
    """Implements `Sandbox`. Made by `E2bBackend` alone."""

    def __init__(self, *, remote: e2b.AsyncSandbox, spec: SandboxSpec, clock: Clock) -> None:
        self.spec = spec
        self._remote, self._clock = remote, clock
        self._lasts_until: datetime | None = None
        self._turn = asyncio.Lock()
        self._following: asyncio.Task[Exception | None] | None = None
        self._ended = False

    @property
    def id(self) -> SandboxId:
        return SandboxId(self._remote.sandbox_id)

    @property
    def is_gone(self) -> bool:
        """Whether we ended it, or E2B said that it is over."""
        return self._ended

    async def made_ready(self) -> None:
        """Make its folders. The sandbox is new, so this may be done twice."""
        made = f"mkdir -p -m 0777 {WORKSPACE} {_OURS}"
        await asked_again(lambda: self._remote.commands.run(made, user="root"))

    async def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        wall_seconds: float | None = None,
    ) -> AsyncIterator[Event]:
        async with self._turn:
            given = "/dev/null"
            if stdin:
                given = f"{_OURS}/input"
                await self._put(given, stdin)
            command = f"{ulimits(self.spec.limits)}; {shlex.join(argv)} < {given}"
            async for event in self._run(command, environment or {}, wall_seconds):
                yield event

    async def run_python(self, code: str, *, wall_seconds: float | None = None) -> AsyncIterator[Event]:
        async with self._turn:
            await self._put(f"{_OURS}/main.py", code.encode())
            command = f"{ulimits(self.spec.limits)}; python3 -X utf8 {_OURS}/main.py < /dev/null"
            named = {"PYTHONPATH": WORKSPACE, "MPLBACKEND": "Agg"}
            async for event in self._run(command, named, wall_seconds):
                yield event

    async def write(self, path: str, content: bytes, *, read_only: bool = False) -> None:
        limits = self.spec.limits
        if len(content) > limits.file_bytes:
            raise QuotaExceeded("the file", limit=limits.file_bytes)
        where = f"{WORKSPACE}/{paths.checked(path)}"
        async with self._turn:
            await self._put(where, content)
            if read_only:
                await self._told(f"chmod 0444 -- {shlex.quote(where)}")

    async def read(self, path: str, *, limit: int) -> bytes:
        where = f"{WORKSPACE}/{paths.checked(path)}"
        name = shlex.quote(where)
        async with self._turn:
            # Whoever swaps it for a link after this look gets to see a file of their own machine.
            plain = f'[ -f {name} ] && [ ! -L {name} ] && [ "$(realpath -e -- {name})" = {name} ]'
            if (await self._told(plain))[1] != 0:
                raise PathRefused("it is no plain file")
            content: bytes = await self._use(self._streamed(where, limit), seconds=_A_FILE)
        return content

    async def _streamed(self, where: str, limit: int) -> bytes:
        found, reader = bytearray(), await self._remote.files.read(where, format="stream")
        try:
            async for part in reader:
                found += part
                if len(found) > limit:
                    raise QuotaExceeded("the file", limit=limit)
        finally:
            with suppress(Exception):
                await reader.aclose()
        return bytes(found)

    async def listed(self, under: str = "", *, limit: int = 1000, odd: bool = False) -> tuple[Entry, ...]:
        start = shlex.quote("./" + (paths.checked(under) if under else ""))
        async with self._turn:
            said, _ = await self._told(f"find {start} ! -type d -printf '%y%n %s ./%P\\0' 2>/dev/null")
        found = []
        for kind, size, name in _LISTED.findall(said):
            path, refused = paths.claimed(f"{under}/{name}" if under else name, is_plain=kind == "f1")
            if odd or refused is None:
                found.append(Entry(path=path, size=int(size), refused=refused))
        return tuple(sorted(found, key=lambda entry: entry.path)[:limit])

    async def usage(self) -> Usage:
        self._expect_alive()
        measured: Any = await self._again(self._remote.get_metrics)
        last = measured[-1] if measured else None
        return Usage(
            memory_bytes=None if last is None else int(last.mem_used),
            disk_bytes=None if last is None else int(last.disk_used),
            inodes=None,
            processes=None,
        )

    async def kill(self, reason: Killer = Killer.STOPPED) -> None:
        """What E2B does not hear now is ended by its own clock, and looked for again and again until then."""
        was, self._ended = self._ended, True
        if self._following is not None:
            self._following.cancel()
        if not was:
            with suppress(SandboxGone, SandboxUnavailable):
                await asked_again(lambda: self._remote.kill())

    async def _run(
        self, command: str, environment: Mapping[str, str], wall_seconds: float | None
    ) -> AsyncIterator[Event]:
        self._expect_alive()
        limits = self.spec.limits
        allowed = min(wall_seconds or limits.wall_seconds, limits.wall_seconds)
        await self._stays(allowed)
        clock = asyncio.get_running_loop().time
        began, left, killed = clock(), limits.output_bytes, None
        heard: asyncio.Queue[Output | None] = asyncio.Queue()  # holds no more than `left`
        room = left

        def hear(stream: Any, text: str) -> None:
            nonlocal room
            data = text.encode()[:room]
            room -= len(data)
            if data:
                heard.put_nowait(Output(stream=stream, data=data))

        handle = await self._started(
            command, environment, allowed, lambda text: hear("stdout", text), lambda text: hear("stderr", text)
        )
        following = self._following = asyncio.create_task(_followed(handle, heard))
        done = False
        try:
            while True:
                try:
                    said = await asyncio.wait_for(heard.get(), max(began + allowed + _LATE - clock(), 0.01))
                except TimeoutError:
                    killed = Killer.WALL
                    break
                if said is None:
                    break
                yield said
                left -= len(said.data)
                if left <= 0:
                    killed = Killer.OUTPUT
                    break
            ended = await self._end_of(handle, following, killed, seconds=clock() - began)
            done = True
        finally:
            following.cancel()
            if not done:
                await asyncio.shield(self.kill())  # nothing runs that nobody hears
        yield ended

    async def _started(self, command: str, environment: Mapping[str, str], allowed: float, out: Any, err: Any) -> Any:
        try:
            return await asked(
                self._remote.commands.run(
                    command,
                    background=True,
                    envs=dict(environment),
                    cwd=WORKSPACE,
                    timeout=allowed,
                    on_stdout=out,
                    on_stderr=err,
                    retain_output=False,
                )
            )
        except E2bAway as problem:  # it may have been heard
            await self.kill()
            raise RunCutOff() from problem
        except SandboxGone:
            self._ended = True
            raise

    async def _end_of(
        self, handle: Any, following: "asyncio.Task[Any]", killed: Killer | None, *, seconds: float
    ) -> Exited:
        if killed is not None:
            try:
                await asked(handle.kill())
                await asyncio.wait_for(asyncio.shield(following), _LATE)
            except Exception:  # noqa: BLE001 - whatever it is, the command may still run
                await self.kill()
            return Exited(code=None, signal=signal.SIGKILL, killed_by=killed, seconds=seconds)
        if self._ended:
            raise SandboxGone()
        problem = await following
        if problem is None or isinstance(problem, e2b.CommandExitException):
            return exited(0 if problem is None else problem.exit_code, seconds)
        if type(problem) is e2b.TimeoutException:
            return Exited(code=None, signal=signal.SIGKILL, killed_by=Killer.WALL, seconds=seconds)
        await self.kill()
        raise RunCutOff() from problem

    async def _told(self, command: str) -> tuple[str, int | None]:
        """What a command of our own says, and its code."""
        said, ended = b"", Exited(code=None)
        async for event in self._run(command, {}, None):
            if isinstance(event, Exited):
                ended = event
            elif event.stream == "stdout":
                said += event.data
        return said.decode(errors="replace"), ended.code

    async def _put(self, where: str, content: bytes) -> None:
        self._expect_alive()
        await self._again(lambda: self._remote.files.write(where, content), seconds=_A_FILE)

    async def _stays(self, seconds: float) -> None:
        """See to it that it is not ended while it is used: its time begins anew with each use, not to the second."""
        now, lasts = self._clock.now(), timedelta(seconds=self.spec.ttl_seconds)
        if self._lasts_until is None or self._lasts_until - now < lasts * 0.75 + timedelta(seconds=seconds):
            whole = round(lasts.total_seconds() + 2 * seconds)
            await self._again(lambda: self._remote.set_timeout(whole))
            self._lasts_until = now + timedelta(seconds=whole)

    async def _again(self, make: Any, *, seconds: float = SOON) -> Any:
        try:
            return await asked_again(make, seconds=seconds)
        except SandboxGone:
            self._ended = True
            raise

    async def _use(self, doing: Any, *, seconds: float) -> Any:
        try:
            return await asked(doing, seconds=seconds)
        except SandboxGone:
            self._ended = True
            raise

    def _expect_alive(self) -> None:
        if self._ended:
            raise SandboxGone()


async def _followed(handle: Any, heard: "asyncio.Queue[Output | None]") -> Exception | None:
    """How a command ended: an error of the library, or nothing. Ends `heard`."""
    try:
        await handle.wait()
    except Exception as problem:  # noqa: BLE001 - it is looked at by who waits
        return problem
    finally:
        heard.put_nowait(None)
    return None
