"""Tells whoever watches a task that it has new rows: a hint to look, sent soon after, never part of the flush.

A signal in the flush itself would make every commit of every task wait for one lock of the server.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from joule.database.engine import Database
from joule.database.signals import notify_all
from joule.kernel.ending import end
from joule.kernel.errors import Unavailable
from joule.kernel.ids import TaskId

CHANNEL = "joule_task"  # carries the id of a task with news
PAUSE = 0.015  # seconds; news of many tasks within it goes in one transaction


class Announcer:
    """Collects the tasks with news and announces them in the background while it is `running`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news: set[TaskId] = set()
        self._some = asyncio.Event()

    def __call__(self, task: TaskId) -> None:
        """Note that `task` has new rows."""
        self._news.add(task)
        self._some.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Announce until left; what is still waiting then is not: watchers also look by themselves."""
        announcing = asyncio.create_task(self._announce(), name="announcer")
        try:
            yield
        finally:
            await end(announcing)

    async def _announce(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            news, self._news = self._news, set()
            with contextlib.suppress(Unavailable):
                async with self._database.driver() as connection:
                    await notify_all(connection, CHANNEL, [str(task) for task in news])
            await asyncio.sleep(PAUSE)
