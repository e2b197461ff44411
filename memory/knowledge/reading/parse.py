"""Reads documents, each in a process of its own that can neither open files nor reach a network.

What comes back from that process is treated as an attacker's: bounded, checked, cleaned (`_answer`).
"""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from joule.kernel.ending import end
from memory.kinds import MediaType
from memory.knowledge.reading import _answer
from memory.knowledge.reading._confine import SHUT_IN
from memory.knowledge.reading.errors import Broken, ReadingUnavailable, TookTooLong, TookTooMuch, TooLong, Unreadable
from memory.knowledge.reading.model import Limits, Parsed

PROGRAM = Path(__file__).with_name("_child.py")
_HEAD = 8  # bytes that say how long the answer is
_READY_SECONDS = 60  # by the clock, for a process to start and be shut in
_OUT_OF_TIME = {-signal.SIGXCPU, -signal.SIGKILL}
DEFAULT = Limits()


class Reader:
    """Reads documents, at most `at_once` of them at the same time in this process.

    `program` is what reads one of them, shut in.
    """

    def __init__(self, *, at_once: int = 2, program: Path = PROGRAM) -> None:
        self._program = program
        self._free = asyncio.Semaphore(at_once)

    async def read(self, content: bytes, *, media_type: MediaType, limits: Limits = DEFAULT) -> Parsed:
        """The document as text. Raises a leaf of `Unreadable`, or `ReadingUnavailable` where nothing can be shut in.

        The process ends with the call, however that ends. Waiting for a free place does not count as time.
        """
        async with self._free:
            answer = await self._asked(content, media_type, limits)
        return await asyncio.to_thread(_answer.accepted, answer, limits)

    async def _asked(self, content: bytes, media_type: MediaType, limits: Limits) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-B", "-X", "utf8", str(self._program)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,  # may quote the document
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError as problem:
            raise ReadingUnavailable("reading documents") from problem
        head = json.dumps({"media_type": media_type.value, "limits": asdict(limits)}).encode() + b"\n"
        writing = asyncio.create_task(_given(process, head + content))
        try:
            await _shut_in(process)
            async with asyncio.timeout(2 * limits.seconds):
                answer = await _taken(process, limits)
                await process.wait()  # it has nothing more to do; one that stays is ended below
                return answer
        except TimeoutError:
            raise TookTooLong from None
        finally:
            await end(writing)
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


async def _given(process: Process, asked: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - asked for above
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended early; its answer says why
        process.stdin.write(asked)
        await process.stdin.drain()
    process.stdin.close()


async def _shut_in(process: Process) -> None:
    """Wait until the process is shut in. Raises `ReadingUnavailable`: the document was not looked at yet."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(_READY_SECONDS):
            said = await process.stdout.readexactly(len(SHUT_IN))
    except (TimeoutError, asyncio.IncompleteReadError):
        said = b""
    if said != SHUT_IN:
        raise ReadingUnavailable("reading documents")


async def _taken(process: Process, limits: Limits) -> bytes:
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        length = int.from_bytes(await process.stdout.readexactly(_HEAD), "big")
        if length > _answer.most_bytes(limits):
            raise TooLong
        return await process.stdout.readexactly(length)
    except asyncio.IncompleteReadError:
        raise _ended(await process.wait()) from None


def _ended(code: int) -> Unreadable:
    """What it means that the process ended without an answer."""
    if code in _OUT_OF_TIME:
        return TookTooLong()
    # 1: Python itself gave up, for want of memory before it could say so. Any other signal: a parser tripped.
    return TookTooMuch() if code == 1 else Broken()
