"""Starts a program that shuts itself in, waits until it says so, and ends it.

Nothing of anybody's environment goes along, and what it says of itself goes nowhere: that could quote what it works on.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

from memory.knowledge._confine import SHUT_IN

_READY_SECONDS = 60  # by the clock, for a process to start and be shut in


async def started(program: Path, *arguments: str) -> Process:
    """The program, in a process of its own. Raises `OSError` where none can be started."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-B", "-X", "utf8", str(program), *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )


async def is_shut_in(process: Process) -> bool:
    """Whether the process has said that there is no way back for it; waits for that."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(_READY_SECONDS):
            return await process.stdout.readexactly(len(SHUT_IN)) == SHUT_IN
    except (TimeoutError, asyncio.IncompleteReadError):
        return False


async def given(process: Process, content: bytes) -> None:
    """Write to the process. One that ended says so, and why, where its answer is read."""
    assert process.stdin is not None  # noqa: S101 - asked for above
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()


async def end(process: Process) -> None:
    """The process is gone when this returns."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
