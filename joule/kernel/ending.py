"""Ends what runs beside."""

import asyncio
from typing import Any

AGAIN = 5.0  # seconds a task has for its last things before it is cancelled once more


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel `tasks` until they are over. What they end with is not raised.

    Once is not always enough: `asyncio.wait_for` of Python 3.11, which libraries wait with, loses a cancellation that
    comes together with what is waited for, and whoever awaits the task then waits for ever.
    """
    while running := {task for task in tasks if not task.done()}:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # or the loop complains that nobody asked
