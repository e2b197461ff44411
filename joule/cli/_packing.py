"""Installs the sandboxes' data pack beside a running Joule, once its first page is there.

It is a convenience: when it fails a person is told what to do, and everything else goes on.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

_GRACE = 10.0  # seconds to end what it does
_PATIENT = ("nice", "-n", "10")
_SECRET = ("JOULE_DATABASE", "JOULE_MODEL", "JOULE_VAULT")


async def install(
    ready: "asyncio.Future[Any]", stopping: asyncio.Event, *, environment: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Wait until `ready`, then install what is missing, telling how far it is; end it when everything stops."""
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({ready, stop}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set():
            return
        process = await asyncio.create_subprocess_exec(
            *[*_PATIENT, sys.executable, "-m", "joule.cli", "sandbox", "install-pack"],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in environment.items() if not name.startswith(_SECRET)},
            process_group=0,
        )
        telling = asyncio.create_task(_tell(process, say))
        await asyncio.wait({telling, stop}, return_when=asyncio.FIRST_COMPLETED)
        await _ended(process)
        await telling
    finally:
        stop.cancel()


async def _tell(process: asyncio.subprocess.Process, say: Callable[[str], None]) -> None:
    if process.stderr is not None:
        async for line in process.stderr:
            say(f"Data pack: {line.decode(errors='replace').rstrip()}")


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, as Ctrl-C would; what it has fetched is kept."""
    if process.returncode is None:
        try:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.wait(), _GRACE)
        except ProcessLookupError:
            await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
