"""Joule as people run it: `joule up` in a process of its own, with a home folder and a port of its own."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_LINK = re.compile(r"http://\S+/sign-in/link\?token=\S+")


@dataclass(frozen=True, kw_only=True)
class Running:
    """Where it runs, and the link that signs its owner in once."""

    address: str
    link: str
    home: Path


@asynccontextmanager
async def joule_up(home: Path, **variables: str) -> AsyncIterator[Running]:
    """Starts everything and waits for the link; stops everything at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOULE_")}
    environment |= {"JOULE_HOME": str(home), "JOULE_WEB_PORT": "0", **variables}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "joule.cli", "up", "--no-sample"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(90):
            while (link := _LINK.search(said)) is None:
                line = await process.stdout.readline()
                if not line:
                    raise RuntimeError(f"joule up ended:\n{said}")
                said += line.decode()
        yield Running(address=link[0].split("/sign-in")[0], link=link[0], home=home)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(30):
                await process.communicate()
