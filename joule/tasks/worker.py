"""Runs tasks: takes them from the queue, hands each to the agent, writes down how it ended.

Every run holds one attempt of its task. A run that was taken for dead, stopped or shut down can end late, but only the
newest attempt changes the task; running one again is safe because the agent resumes from its journal.
"""

import asyncio
import logging
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from joule.agent.task import Claim, Outcome, Run, failed, stopped
from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.ending import end
from joule.kernel.errors import Fenced, JouleError, LimitReached, Stopped, Unavailable
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.settings import TaskSettings
from joule.tasks._attempts import Attempts, RoleOf
from joule.tasks._serving import ProcrastinateServing
from joule.tasks.dispatch import Dispatcher, Serving
from joule.tasks.queries import Erased
from joule.tasks.state import STOP_CHANNEL
from joule.vault.vault import Vault

log = logging.getLogger("joule.tasks")

LOOK_SECONDS = 1.0  # how often held tasks are looked at when no signal comes
STOP_PATIENCE = 10.0  # seconds a run may take to end by itself once it was asked to
LONGEST_PAUSE = 15.0  # seconds between tries while something we depend on is away

_AWAY = (Unavailable, OSError, psycopg.Error, DBAPIError)
_LOOK = text("SELECT id, attempt, stop_requested_at FROM task WHERE org_id = :org AND id = ANY(:tasks)")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Held:
    """A run under way."""

    claim: Claim
    running: asyncio.Task[Outcome]


def serving(database: Database, settings: TaskSettings, *, grace: timedelta = timedelta(seconds=10)) -> Serving:
    """The queue of `database` as a worker serves it. `grace`: how long running tasks may take to end at shutdown."""
    return ProcrastinateServing(
        database.url,
        concurrency=settings.per_worker,
        stalled=timedelta(seconds=settings.stalled_seconds),
        grace=grace,
    )


class Worker:
    """One worker process's work. `run` it once; `stop` ends it."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        clock: Clock,
        dispatcher: Dispatcher,
        serving: Serving,
        run: Run,
        role_of: RoleOf,
        erased: Erased,
        settings: TaskSettings,
    ) -> None:
        """`run` is the agent. `role_of` says what the author is now, or raises a `JouleError`: the task then fails.

        `erased` says which of some sources are erased: what was made from them is not told to the agent again.
        """
        self._database, self._serving, self._run_claim, self._settings = database, serving, run, settings
        self._attempts = Attempts(
            database=database,
            vault=vault,
            clock=clock,
            dispatcher=dispatcher,
            role_of=role_of,
            erased=erased,
            places=settings.per_organisation,
            worker=f"{socket.gethostname()}:{os.getpid()}:{new_id().hex[-6:]}",
        )
        self._held: dict[TaskId, _Held] = {}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Take no more tasks; let the running ones end or hand them back; then `run` returns. Safe in a handler."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until `stop`. Outlives a database that goes away: it waits and goes on."""
        watching = asyncio.create_task(self._watch(), name="task watch")
        pause = 0.5
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    await self._serving.serve(self._perform, stop=self._stop)
                except Unavailable:
                    if time.monotonic() - began > LONGEST_PAUSE * 2:
                        pause = 0.5
                    log.warning("the worker lost the database and tries again in %.1f s", pause)
                    await _wait(self._stop, pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            await end(watching)

    async def _perform(self, org: OrgId, task: TaskId) -> None:
        """Run one task to an end, a pause or another worker. Raises nothing but cancellation."""
        pause, hopeless = 0.5, False
        while True:
            try:
                if hopeless:
                    return await self._attempts.give_up(org, task)
                claim = await self._attempts.take(org, task)
                if claim is None or await self._attempt(claim):
                    return None
            except Fenced:
                log.info("task %s is in the hands of another worker", task)
                return None
            except _AWAY as problem:
                log.warning("task %s has to wait: %s", task, type(problem).__name__)
            except Exception as problem:  # noqa: BLE001  a task that cannot even be taken must not block the queue
                log.error("task %s cannot be run: %s", task, type(problem).__name__)
                hopeless = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _attempt(self, claim: Claim) -> bool:
        """Run one attempt. Whether that settled the task; if not, another attempt is due a little later."""
        running = asyncio.create_task(self._outcome(claim), name=f"task {claim.task}")
        self._held[claim.task] = _Held(claim=claim, running=running)
        try:
            outcome = await asyncio.shield(running)
            await self._finish(claim, outcome)
        except Unavailable as problem:
            log.warning("task %s stopped short and will be tried again: %s", claim.task, problem.code)
            return False
        except asyncio.CancelledError:
            if running.cancelled():
                raise Fenced() from None  # by the watch: the task is another worker's, or was deleted
            await end(running)
            with suppress(JouleError, *_AWAY):
                await asyncio.shield(self._attempts.hand_back(claim))
            raise
        finally:
            del self._held[claim.task]
        return True

    async def _outcome(self, claim: Claim) -> Outcome:
        """How the agent's run ended, whatever it did."""
        allowed = self._settings.max_seconds
        try:
            async with asyncio.timeout(allowed + STOP_PATIENCE):
                return await self._stoppable(claim)
        except TimeoutError:
            return failed(LimitReached.code)
        except Stopped:
            return stopped()
        except (Fenced, Unavailable):
            raise
        except JouleError as problem:
            return failed(problem.code)
        except (OSError, psycopg.OperationalError, DBAPIError) as problem:
            raise Unavailable("the database") from problem
        except Exception as problem:  # noqa: BLE001  whatever it is, the task ends and the worker goes on
            log.error("task %s failed: %s", claim.task, type(problem).__name__)
            return failed("task.crashed")

    async def _stoppable(self, claim: Claim) -> Outcome:
        """The run; cut off when it does not end by itself after a person stopped the task."""
        running = asyncio.ensure_future(self._run_claim(claim))
        stopping = asyncio.create_task(claim.stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await asyncio.wait({running}, timeout=STOP_PATIENCE)
            return await running if running.done() else stopped()
        finally:
            await end(stopping, running)

    async def _finish(self, claim: Claim, outcome: Outcome) -> None:
        """Write the outcome down, however long the database is away: the run itself is not repeated for that."""
        pause = 0.5
        while True:
            try:
                return await self._attempts.finish(claim, outcome)
            except _AWAY as problem:
                log.warning("the end of task %s cannot be written yet: %s", claim.task, type(problem).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _watch(self) -> None:
        """Tell runs that they were stopped, and end those whose task is no longer theirs."""
        looking = asyncio.create_task(self._look_often())
        try:
            async for payload in self._database.listen(STOP_CHANNEL):
                if not payload or payload in map(str, self._held):
                    await self._look_safely()
        finally:
            await end(looking)

    async def _look_often(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._look_safely()

    async def _look_safely(self) -> None:
        # While the database is away nothing can be looked at; the next look is soon.
        with suppress(*_AWAY):
            await self._look()

    async def _look(self) -> None:
        for org in {held.claim.org for held in self._held.values()}:
            held = [each for each in self._held.values() if each.claim.org == org]
            async with self._database.read(org) as session:
                tasks = [each.claim.task for each in held]
                rows = {row.id: row for row in (await session.execute(_LOOK, {"org": org, "tasks": tasks})).all()}
            for each in held:
                row = rows.get(each.claim.task)
                if row is None or row.attempt != each.claim.attempt:
                    each.running.cancel()
                elif row.stop_requested_at is not None:
                    each.claim.stop.set()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
