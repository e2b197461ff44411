"""One procrastinate worker: fetches jobs, keeps its heartbeat, and takes over what dead workers left behind.

procrastinate has no rescue of its own. A stalled job is ended and a fresh one put in its place in one transaction:
the zombie that still holds the old job can then end nothing but the old job, and the fresh one wakes a worker at once.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ProcrastinateException
from procrastinate.worker import Worker as QueueWorker

from joule.database.errors import DatabaseAway
from joule.kernel.ending import end
from joule.kernel.ids import OrgId, TaskId
from joule.tasks.dispatch import QUEUE, RUN_TASK, SEARCH_PATH, Perform, job_of

log = logging.getLogger("joule.tasks")

POLL_SECONDS = 0.5  # only a fallback: an enqueued job notifies
RESCUE_SECONDS = 1.0
_ALIVE = 0x6A6F756C  # first key of the advisory lock a worker holds while its process lives

_STALLED = """
SELECT job.id, job.args FROM procrastinate_jobs AS job
LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
WHERE job.status = 'doing' AND job.queue_name = %(queue)s
  AND (worker.id IS NULL OR worker.last_heartbeat < now() - %(silence)s
       -- A killed process loses its lock at once. A fresh one has a second to take it.
       OR (worker.last_heartbeat < now() - interval '1 second' AND worker.id NOT IN (
           SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = %(alive)s AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))
       OR worker.id = ANY(%(former)s) OR job.id = ANY(%(dropped)s))
ORDER BY job.id LIMIT 50 FOR UPDATE OF job SKIP LOCKED
"""
_MINE = "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %(worker)s"
_END = "SELECT procrastinate_finish_job_v1(%(job)s, 'failed', true)"


class ProcrastinateServing:
    """Serves the queue in this process. One `serve` at a time."""

    def __init__(self, url: str, *, concurrency: int, stalled: timedelta, grace: timedelta) -> None:
        """`stalled`: silence after which a worker is dead. `grace`: how long running tasks may take to end."""
        self._url, self._concurrency, self._stalled, self._grace = url, concurrency, stalled, grace
        self._held: set[int] = set()  # jobs that are running in this process just now
        self._unheld: set[int] = set()  # jobs of this worker that were not, when last looked at
        self._former: set[int] = set()  # workers this process was before it lost the database

    async def serve(self, perform: Perform, *, stop: asyncio.Event) -> None:
        """Perform what is queued until `stop` is set. Raises `DatabaseAway` when the database is lost."""
        app = self._app()
        self._performing(app, perform)
        try:
            async with app.open_async():
                await self._work(app, stop)
        except (OSError, psycopg.Error, ProcrastinateException) as problem:
            raise DatabaseAway() from problem

    def _app(self) -> App:
        options = f"-c search_path={SEARCH_PATH.replace(' ', '')}"
        return App(
            connector=PsycopgConnector(
                conninfo=self._url,
                kwargs={"options": options, "prepare_threshold": None, "connect_timeout": 5},
                min_size=1,
                max_size=4,
                timeout=10,
            )
        )

    def _performing(self, app: App, perform: Perform) -> None:
        async def run_task(context: JobContext, *, org: str, task: str) -> None:
            job = context.job.id or 0
            self._held.add(job)
            try:
                await perform(OrgId(UUID(org)), TaskId(UUID(task)))
            finally:
                self._held.discard(job)

        app.task(name=RUN_TASK, queue=QUEUE, pass_context=True)(run_task)

    async def _work(self, app: App, stop: asyncio.Event) -> None:
        seconds = self._stalled.total_seconds()
        worker: Any = QueueWorker(
            app,
            queues=[QUEUE],
            concurrency=self._concurrency,
            fetch_job_polling_interval=POLL_SECONDS,
            shutdown_graceful_timeout=self._grace.total_seconds(),
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=min(5.0, seconds / 4),
            stalled_worker_timeout=seconds,
        )
        running = asyncio.create_task(worker.run(), name="worker")
        stopping = asyncio.create_task(stop.wait(), name="worker stop")
        rescuing = asyncio.create_task(self._rescue(app, worker), name="worker rescue")
        living = asyncio.create_task(self._show_life(worker), name="worker life")
        try:
            await asyncio.wait({running, stopping, rescuing, living}, return_when=asyncio.FIRST_COMPLETED)
            worker.stop()
            await running
            for each in (rescuing, living):
                if each.done():
                    await each
        finally:
            worker.stop()
            await end(stopping, rescuing)
            with suppress(Exception):
                await running
            await end(living)
            if worker.worker_id is not None:
                self._former.add(worker.worker_id)
        if not stop.is_set():
            raise DatabaseAway()  # a side task of the worker failed, and it ended by itself

    async def _show_life(self, worker: Any) -> None:
        """Hold a lock that lasts as long as this process: the heartbeat tells of a frozen one, this of a dead one."""
        while worker.worker_id is None:  # noqa: ASYNC110  procrastinate has no event for it
            await asyncio.sleep(0.01)
        while True:
            with suppress(OSError, psycopg.Error):
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5) as held:
                    await held.execute("SELECT pg_advisory_lock(%s, %s)", [_ALIVE, worker.worker_id])
                    while True:
                        await asyncio.sleep(RESCUE_SECONDS)
                        await held.execute("SELECT 1")
            await asyncio.sleep(0.1)

    async def _rescue(self, app: App, worker: Any) -> None:
        """Every second, put what nobody works on any more back into the queue."""
        while True:
            await asyncio.sleep(RESCUE_SECONDS)
            # When the database is lost for good, the worker's heartbeat fails too and ends it.
            with suppress(OSError, psycopg.Error):
                await self._rescue_once(app, worker)

    async def _rescue_once(self, app: App, worker: Any) -> None:
        async with app.connector.pool.connection() as connection:  # type: ignore[attr-defined]
            parameters = {
                "queue": QUEUE,
                "silence": self._stalled,
                "alive": _ALIVE,
                "dropped": await self._dropped(connection, worker.worker_id),
                "former": sorted(self._former),
            }
            for job, arguments in await (await connection.execute(_STALLED, parameters)).fetchall():
                await connection.execute(_END, {"job": job})
                org, task = OrgId(UUID(arguments["org"])), TaskId(UUID(arguments["task"]))
                await job_of(app, org, task, connection=connection)
                log.warning("task %s was left behind by its worker and is queued again", task)

    async def _dropped(self, connection: psycopg.AsyncConnection[Any], worker: int | None) -> list[int]:
        """Jobs of this very worker that it does not run: their end could not be written while the database was away.

        A job counts when two looks in a row find it, because between fetching and starting one it is not held yet.
        """
        rows = await (await connection.execute(_MINE, {"worker": worker})).fetchall()
        unheld = {job for (job,) in rows} - self._held
        dropped, self._unheld = self._unheld & unheld, unheld
        return sorted(dropped)
