"""Keeps child processes running until told to stop.

A child that dies is started again, later each time; a child that keeps running earns its patience back. The parent
imports nothing of the house, so that it costs little memory.
"""

import asyncio
import ctypes
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    # A supervisor that is killed outright cannot stop its children; the kernel does it.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long things may take, in seconds, and how long a log may grow, in bytes."""

    first_wait: float = 0.5  # between a death and the next start; doubles each time
    longest_wait: float = 30.0
    steady: float = 60.0  # a child that lived this long is taken for well again
    grace: float = 20.0  # for a child to end after it was asked to
    log_bytes: int = 10 * 2**20


@dataclass(frozen=True, kw_only=True)
class Child:
    """One process to keep alive. Its output is appended to `log`; it gets the open files `hands_down`, and no others."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    hands_down: Sequence[int] = ()


class Supervisor:
    """Runs `children` until `stop` is called."""

    def __init__(
        self, *, children: Sequence[Child], say: Callable[[str], None], patience: Patience | None = None
    ) -> None:
        self._children, self._say, self._patience = children, say, patience or Patience()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask everything to end; `run` returns when it has. A second call changes nothing."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(self._keep(child))

    async def _keep(self, child: Child) -> None:
        wait = self._patience.first_wait
        while not self.is_stopping:
            started = time.monotonic()
            code = await self._run_once(child)
            if self.is_stopping:
                return
            if time.monotonic() - started > self._patience.steady:
                wait = self._patience.first_wait
            self._say(f"The {child.name} process ended (code {code}); starting it again. Its log: {child.log}")
            await self._pause(wait)
            wait = min(wait * 2, self._patience.longest_wait)

    async def _run_once(self, child: Child) -> int:
        _make_room(child.log, self._patience.log_bytes)
        with child.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(child.environment),
                pass_fds=tuple(child.hands_down),
                process_group=0,  # Ctrl-C reaches the supervisor alone, which then ends things in order
                preexec_fn=_end_with_parent,
            )
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                _, late = await asyncio.wait({ended}, timeout=self._patience.grace)
                if late:
                    self._say(
                        f"The {child.name} process did not end in {self._patience.grace:.0f} seconds and was killed."
                    )
                    process.kill()
            return await ended
        finally:
            stopping.cancel()
            if process.returncode is None:
                process.kill()  # the supervisor itself is being torn down

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), timeout=seconds)
        except TimeoutError:
            return


def _make_room(log: Path, most: int) -> None:
    """Logs end too: past its size a log moves aside, and the one before it goes."""
    if log.exists() and log.stat().st_size > most:
        log.replace(log.with_suffix(".old"))


async def answers(host: str, port: int, *, path: str = "/") -> bool:
    """Whether a web server answers there, whatever it says."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout=2)
    except (OSError, TimeoutError):
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), timeout=10)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return line.startswith(b"HTTP/1.1 ")
