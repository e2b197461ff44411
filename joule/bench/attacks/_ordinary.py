"""The same attacks by an ordinary user: a process that stops being root, once it has read all that it needs."""

import asyncio
import json
import sys
from typing import Any

_PATIENCE = 300.0  # seconds: an end, not a measure


async def as_an_ordinary_user(theme: str) -> list[dict[str, Any]]:
    """What was found of one theme's attacks. Only root can become somebody else."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "joule.bench.attacks", theme), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(_PATIENCE):
        said, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the ordinary user's attacks did not run: {theme}")
    return list(json.loads(said))
