"""One sandbox on this machine, as the host sees it: a process group, a socket to its guest, and a watch over both."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from joule.kernel.clock import Clock
from joule.kernel.ending import end
from sandbox import paths
from sandbox.contract import Entry, Event, Exited, Killer, KnownSandbox, Output, SandboxId, SandboxSpec, Usage
from sandbox.errors import PathRefused, ProtocolBroken, QuotaExceeded, SandboxGone
from sandbox.local.groups import Group
from sandbox.local.watchdog import Look, look
from sandbox.local.wire import MOST, Wire, parsed, whole

LOOKS = 0.03  # seconds between two looks while something runs
PATIENCE = 0.5  # seconds a guest has to end a job it was told to end


class LocalSandbox:
    """Implements `Sandbox`. Made by `LocalBackend` alone."""

    def __init__(
        self,
        *,
        name: SandboxId,
        spec: SandboxSpec,
        process: "subprocess.Popen[bytes]",
        wire: Wire,
        clock: Clock,
        look: Callable[[int], Look] = look,
        group: Group | None = None,
    ) -> None:
        self.id, self.spec = name, spec
        self._process, self._wire, self._clock, self._look = process, wire, clock, look
        self._group = group
        self._created_at = self._used_at = clock.now()
        self._turn = asyncio.Lock()
        self._ended = False

    def given_to(self, spec: SandboxSpec) -> None:
        """From now on it is used as `spec` says, whose limits it was made with; its time begins now."""
        self.spec = spec
        self._created_at = self._used_at = self._clock.now()

    @property
    def info(self) -> KnownSandbox:
        return KnownSandbox(
            id=self.id, labels=self.spec.labels, created_at=self._created_at, expires_at=self.expires_at
        )

    @property
    def expires_at(self) -> datetime:
        return self._used_at + timedelta(seconds=self.spec.ttl_seconds)

    @property
    def is_gone(self) -> bool:
        return self._ended or self._process.poll() is not None

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        wall_seconds: float | None = None,
    ) -> AsyncIterator[Event]:
        return self._run({"argv": list(argv)}, stdin, environment or {}, wall_seconds)

    def run_python(self, code: str, *, wall_seconds: float | None = None) -> AsyncIterator[Event]:
        return self._run({"code": code}, b"", {}, wall_seconds)

    async def write(self, path: str, content: bytes, *, read_only: bool = False) -> None:
        limits = self.spec.limits
        if len(content) > limits.file_bytes:
            raise QuotaExceeded("the file", limit=limits.file_bytes)
        async with self._use():
            await self._wire.ask({"op": "write", "path": paths.checked(path), "read_only": read_only}, content)
            await self._answer()

    async def read(self, path: str, *, limit: int) -> bytes:
        found = bytearray()
        async with self._use():
            await self._wire.ask({"op": "read", "path": paths.checked(path), "limit": limit})
            while (part := await self._part()) is not None:
                found += part
                if len(found) > limit:
                    await self.kill()  # it was asked for less
                    raise QuotaExceeded("the file", limit=limit)
        return bytes(found)

    async def listed(self, under: str = "", *, limit: int = 1000, odd: bool = False) -> tuple[Entry, ...]:
        async with self._use():
            await self._wire.ask({"op": "list", "under": under and paths.checked(under), "limit": limit, "odd": odd})
            found = _entries(await self._answer(), most=limit, odd=odd)
        return tuple(each for each in found if odd or each.refused is None)

    async def usage(self) -> Usage:
        self._expect_alive()
        return (await asyncio.to_thread(self._look, self._process.pid)).usage

    async def kill(self, reason: Killer = Killer.STOPPED) -> None:
        self._ended = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._wire.close()
        await asyncio.to_thread(self._process.wait)
        if self._group is not None:
            await asyncio.to_thread(self._group.remove)
        if self._process.stderr is not None:
            self._process.stderr.close()

    async def _run(
        self, what: dict[str, Any], stdin: bytes, environment: Mapping[str, str], wall_seconds: float | None
    ) -> AsyncIterator[Event]:
        limits = self.spec.limits
        allowed = min(wall_seconds or limits.wall_seconds, limits.wall_seconds)
        request = {"op": "run", **what, "environment": dict(environment), "cpu": limits.cpu_seconds}
        async with self._use(), _Watch(self, allowed) as watch:
            await self._wire.ask(request, stdin)
            left = limits.output_bytes
            while True:
                try:
                    kind, body = await self._wire.receive()
                except SandboxGone:
                    if watch.reason is None and not (self._group and self._group.ran_out_of_memory):
                        raise
                    by = watch.reason or Killer.MEMORY
                    ended = Exited(code=None, signal=signal.SIGKILL, killed_by=by, seconds=watch.seconds)
                    break
                if kind == b"x":
                    ended = _exited(body)
                    break
                if kind not in {b"o", b"e"}:
                    raise await self._broken("something else than what a job says")
                body, left = body[:left], max(left - len(body), 0)
                if body:
                    yield Output(stream="stdout" if kind == b"o" else "stderr", data=body)
                if not left:
                    await watch.end(Killer.OUTPUT)
        if watch.reason is not None:
            ended = replace(ended, code=None, killed_by=watch.reason)
        yield ended  # not before the sandbox is free again: whoever hears it may ask for the next thing

    async def _answer(self) -> Any:
        kind, body = await self._wire.receive()
        if kind == b"k":
            return parsed(body)
        if kind == b"r":
            raise _refusal(parsed(body))
        raise await self._broken("no answer to what was asked")

    async def _part(self) -> bytes | None:
        """The next bytes of a file; None after the last ones."""
        kind, body = await self._wire.receive()
        if kind == b"d":
            return body
        if kind == b"k":
            return None
        if kind == b"r":
            raise _refusal(parsed(body))
        raise await self._broken("no part of a file")

    async def _broken(self, reason: str) -> ProtocolBroken:
        await self.kill()
        return ProtocolBroken(reason)

    def _use(self) -> "_Turn":
        return _Turn(self)

    def _expect_alive(self) -> None:
        if self.is_gone:
            raise SandboxGone()


class _Turn:
    """One use of a sandbox at a time. A use that breaks the protocol, or is cut off in the middle, is its last."""

    def __init__(self, sandbox: LocalSandbox) -> None:
        self._sandbox = sandbox

    async def __aenter__(self) -> None:
        await self._sandbox._turn.acquire()
        if self._sandbox.is_gone:
            self._sandbox._turn.release()
            raise SandboxGone()

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, _: object) -> None:
        sandbox = self._sandbox
        sandbox._used_at = sandbox._clock.now()
        try:
            if problem is not None and not isinstance(problem, PathRefused):
                await asyncio.shield(sandbox.kill())  # whatever it still says would be taken for an answer
        finally:
            sandbox._turn.release()


class _Watch:
    """Ends a job that takes too much: by asking the guest, and if that does not help by ending the sandbox."""

    def __init__(self, sandbox: LocalSandbox, wall_seconds: float) -> None:
        self._sandbox, self._wall = sandbox, wall_seconds
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.reason: Killer | None = None

    @property
    def seconds(self) -> float:
        return self._loop.time() - self._began

    async def __aenter__(self) -> "_Watch":
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        await end(self._watching)

    async def end(self, reason: Killer) -> None:
        """End the job. The guest has a moment to do it cleanly, which keeps the files."""
        if self.reason is None:
            self.reason = reason
            self._watching.cancel()
            self._watching = asyncio.create_task(self._end())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOKS)
            if self.seconds > self._wall:
                reason: Killer | None = Killer.WALL
            else:
                try:
                    found = await asyncio.to_thread(self._sandbox._look, self._sandbox._process.pid)
                except asyncio.CancelledError:
                    raise
                except BaseException:
                    await self._sandbox.kill()  # nothing runs that nobody watches
                    raise
                reason = found.too_much(self._sandbox.spec.limits)
            if reason is not None:
                self.reason = reason
                return await self._end()

    async def _end(self) -> None:
        with suppress(SandboxGone):
            await self._sandbox._wire.send(b".")
        await asyncio.sleep(PATIENCE)
        await self._sandbox.kill()


def _exited(body: bytes) -> Exited:
    told = parsed(body)
    if len(body) > MOST or not isinstance(told, dict):
        raise ProtocolBroken("an end that is none")
    code, by = told.get("code"), told.get("signal")
    seconds, peak = told.get("seconds"), told.get("peak")
    return Exited(
        code=None if code is None else whole(code, most=255),
        signal=None if by is None else whole(by, most=64),
        killed_by=Killer.CPU if by in {signal.SIGXCPU, signal.SIGKILL} else None,
        seconds=float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 10**6 else 0.0,
        peak_bytes=None if peak is None else whole(peak),
    )


def _entries(told: Any, *, most: int, odd: bool) -> tuple[Entry, ...]:
    """What a guest says its files are; those that are none, and names nobody could ask for, are refused. Raises `ProtocolBroken`."""
    if not isinstance(told, list) or len(told) > most:
        raise ProtocolBroken("a list that is none, or too long")
    found = []
    for each in told:
        if not (isinstance(each, list) and len(each) == 2 and isinstance(each[0], str)):
            raise ProtocolBroken("a list of something else than files")
        size = whole(each[1], least=-1 if odd else 0)
        path, refused = paths.claimed(each[0], is_plain=size >= 0)
        found.append(Entry(path=path, size=max(size, 0), refused=refused))
    return tuple(sorted(found, key=lambda entry: entry.path))


def _refusal(told: Any) -> PathRefused:
    number = whole(told.get("errno", 0), most=4096) if isinstance(told, dict) else 0
    reasons = {2: "there is no such file", 21: "it is no plain file", 40: "it is a link", 13: "it is not writable"}
    return PathRefused(reasons.get(number, "the system inside refused it"))
