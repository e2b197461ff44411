"""How a task gets to a worker: durable, and in the same transaction as the task itself.

A job carries the ids of an organisation and a task, nothing else; the task row is the truth. The queue promises to
call `perform` at least once per enqueued task, never twice at the same time while workers keep their heartbeat, and
again when a worker died. Fencing is the caller's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, cast

from procrastinate import App, PsycopgConnector
from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession, driver_of
from joule.kernel.ids import OrgId, TaskId

Perform = Callable[[OrgId, TaskId], Awaitable[None]]

QUEUE = "tasks"
RUN_TASK = "joule.tasks.run"

# The queue's tables and functions call each other by bare names, so they must be on the path while they run.
SEARCH_PATH = "public, queue"

_ENTER = text("SELECT set_config('search_path', :path, true)")
_WITHDRAW = text("DELETE FROM queue.procrastinate_jobs WHERE status = 'todo' AND lock = ANY(:locks)")
# A finished job is deleted as it ends; what a crash left of one says nothing any more.
_FORGET = text(
    "DELETE FROM queue.procrastinate_jobs AS job WHERE status NOT IN ('todo', 'doing') AND NOT EXISTS "
    "(SELECT FROM queue.procrastinate_events AS event WHERE event.job_id = job.id AND event.at >= :before)"
)


class Dispatcher(Protocol):
    """The queue as the rest of the room sees it."""

    async def enqueue(self, session: WriteSession, org: OrgId, task: TaskId) -> None:
        """Have `task` run. The job is committed or rolled back with `session`."""
        ...

    async def withdraw(self, session: WriteSession, tasks: Sequence[TaskId]) -> None:
        """Take what is queued for `tasks` out of the queue; what runs already goes on."""
        ...


class Serving(Protocol):
    """The queue as a worker sees it."""

    async def serve(self, perform: Perform, *, stop: asyncio.Event) -> None:
        """Perform what is queued, until `stop` is set or the database is lost (then it raises)."""
        ...


class Queue:
    """Puts jobs into procrastinate's tables. Holds no connection of its own."""

    def __init__(self) -> None:
        # The connector is never opened: every job is deferred through the session that also holds the task.
        self._app = App(connector=PsycopgConnector())

    async def enqueue(self, session: WriteSession, org: OrgId, task: TaskId) -> None:
        await _enter(session)
        await job_of(self._app, org, task, connection=await driver_of(session))

    async def withdraw(self, session: WriteSession, tasks: Sequence[TaskId]) -> None:
        await _enter(session)
        await session.execute(_WITHDRAW, {"locks": [str(task) for task in tasks]})


async def job_of(app: App, org: OrgId, task: TaskId, *, connection: Any) -> int:
    """Defer the one kind of job there is. Two jobs of one task never run at the same time: the task is the lock."""
    deferrer = app.configure_task(RUN_TASK, queue=QUEUE, lock=str(task), connection=connection)
    return await deferrer.defer_async(org=str(org), task=str(task))


async def _enter(session: WriteSession) -> None:
    await session.execute(_ENTER, {"path": SEARCH_PATH})


async def forget_jobs(session: AsyncSession, before: datetime) -> int:
    """Delete the jobs that have ended and to which nothing has happened since `before`; returns how many."""
    await session.execute(_ENTER, {"path": SEARCH_PATH})
    gone = await session.execute(_FORGET, {"before": before})
    return cast(CursorResult[Any], gone).rowcount
