"""Reads documents, each in a process of its own that can neither open files nor reach a network.

What comes back from that process is treated as an attacker's: bounded, checked, cleaned (`_answer`).
"""

import asyncio
import json
import signal
from asyncio.subprocess import Process
from dataclasses import asdict
from pathlib import Path

from joule.kernel.ending import end
from memory.kinds import MediaType
from memory.knowledge import _shut_in
from memory.knowledge.reading import _answer
from memory.knowledge.reading.errors import Broken, ReadingUnavailable, TookTooLong, TookTooMuch, TooLong, Unreadable
from memory.knowledge.reading.model import Limits, Parsed

PROGRAM = Path(__file__).with_name("_child.py")
_HEAD = 8  # bytes that say how long the answer is
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
            process = await _shut_in.started(self._program)
        except OSError as problem:
            raise ReadingUnavailable("reading documents") from problem
        head = json.dumps({"media_type": media_type.value, "limits": asdict(limits)}).encode() + b"\n"
        writing = asyncio.create_task(_given(process, head + content))
        try:
            if not await _shut_in.is_shut_in(process):  # the document was not looked at yet
                raise ReadingUnavailable("reading documents")
            async with asyncio.timeout(2 * limits.seconds):
                answer = await _taken(process, limits)
                await process.wait()  # it has nothing more to do; one that stays is ended below
                return answer
        except TimeoutError:
            raise TookTooLong from None
        finally:
            await end(writing)
            await _shut_in.end(process)


async def _given(process: Process, asked: bytes) -> None:
    await _shut_in.given(process, asked)
    assert process.stdin is not None  # noqa: S101 - asked for above
    process.stdin.close()


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
