"""People who send messages, and workers that run them, over a real database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import text

from joule.agent.task import Run
from joule.database.engine import Database
from joule.kernel.action import Action
from joule.kernel.clock import SystemClock
from joule.kernel.ids import DecisionId, OrgId, PersonId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.label import typed_by
from joule.kernel.permit import Permits
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import TaskSettings
from joule.tasks import queries
from joule.tasks._serving import ProcrastinateServing
from joule.tasks.actions import Started, StartTask, StopTask
from joule.tasks.dispatch import Queue
from joule.tasks.handler import TasksHandler
from joule.tasks.queries import Erased, TaskView
from joule.tasks.screening import Screened
from joule.tasks.state import State
from joule.tasks.worker import Worker
from joule.vault.vault import Vault

R = TypeVar("R")
KNOWN_PROJECT = ProjectId(new_id())


async def only_the_known_project(session: Any, org: OrgId, project: ProjectId) -> bool:
    return project == KNOWN_PROJECT


async def as_it_came(session: Any, org: OrgId, words: str) -> Screened:
    return Screened(text=words)


async def nothing_erased(session: Any, org: OrgId, sources: Collection[str]) -> Collection[str]:
    return ()


async def member(session: Any, org: OrgId, person: PersonId) -> Role:
    return Role.MEMBER


@dataclass(kw_only=True)
class Desk:
    """One person at a browser: performs actions as the gate would, each in one transaction."""

    database: Database
    vault: Vault
    principal: Principal
    permits: Permits
    handler: TasksHandler

    @property
    def org(self) -> OrgId:
        return self.principal.org

    async def do(self, action: Action[R], *, then_fail: bool = False) -> R:
        permit = self.permits.issue(action, decision=DecisionId(new_id()), task=TaskId(new_id()))
        async with self.database.write(self.org) as session:
            done: R = await self.handler.methods()[type(action)](permit, action, session)
            if then_fail:
                raise RuntimeError("the transaction is lost")
            return done

    async def send(self, words: str, thread: ThreadId | None = None, **more: Any) -> Started:
        return await self.do(self.message(words, thread, **more))

    def message(self, words: str, thread: ThreadId | None = None, **more: Any) -> StartTask:
        assert self.principal.person is not None
        return StartTask(
            principal=self.principal,
            project=KNOWN_PROJECT,
            thread=thread,
            text=words,
            label=typed_by(self.principal.person),
            **more,
        )

    async def stop(self, task: TaskId) -> None:
        await self.do(StopTask(principal=self.principal, task=task))

    async def see(self, task: TaskId) -> TaskView:
        async with self.database.read(self.org) as session:
            return await queries.task(session, self.vault, self.org, task)

    async def until(self, task: TaskId, *states: State, seconds: float = 20) -> TaskView:
        """The task, once it stands in one of `states`."""
        async with asyncio.timeout(seconds):
            while (view := await self.see(task)).facts.state not in states:
                await asyncio.sleep(0.02)
        return view

    async def jobs(self) -> list[UUID]:
        """The tasks that are in the queue or in work."""
        async with self.database.unscoped() as session:
            found = await session.execute(
                text("SELECT lock FROM queue.procrastinate_jobs WHERE status IN ('todo', 'doing') ORDER BY id")
            )
            return [UUID(lock) for lock in found.scalars().all()]

    async def idle(self, seconds: float = 10) -> None:
        """Wait for an empty queue: a task's state is committed by its run, its job is closed a moment later."""
        async with asyncio.timeout(seconds):
            while await self.jobs():
                await asyncio.sleep(0.02)


@pytest.fixture
def person() -> PersonId:
    return PersonId(new_id())


@pytest.fixture
def task_settings() -> TaskSettings:
    return TaskSettings(per_organisation=2, per_worker=8, stalled_seconds=5)


@pytest.fixture
def desk_of(database: Database, vault: Vault, task_settings: TaskSettings) -> Callable[..., Desk]:
    clock = SystemClock()
    permits = Permits(clock=clock)
    handler = TasksHandler(
        admission=permits,
        clock=clock,
        vault=vault,
        dispatcher=Queue(),
        known_project=only_the_known_project,
        screening=as_it_came,
        places=task_settings.per_organisation,
        retention="90d",
        followers=(),
    )

    def make(org: OrgId, person: PersonId, role: Role = Role.MEMBER) -> Desk:
        principal = Principal(org=org, person=person, role=role, via=Via.PERSON)
        return Desk(database=database, vault=vault, principal=principal, permits=permits, handler=handler)

    return make


@pytest.fixture
def desk(desk_of: Callable[..., Desk], org: OrgId, person: PersonId) -> Desk:
    return desk_of(org, person)


@pytest.fixture
def working(database: Database, vault: Vault, task_settings: TaskSettings) -> Callable[..., Any]:
    """`async with working(run) as worker:` a worker that runs tasks in this process."""

    @asynccontextmanager
    async def work(
        run: Run, *, grace: float = 2.0, stalled: float = 5.0, erased: Erased = nothing_erased
    ) -> AsyncIterator[Worker]:
        worker = Worker(
            database=database,
            vault=vault,
            clock=SystemClock(),
            dispatcher=Queue(),
            serving=ProcrastinateServing(
                database.url,
                concurrency=task_settings.per_worker,
                stalled=timedelta(seconds=stalled),
                grace=timedelta(seconds=grace),
            ),
            run=run,
            role_of=member,
            erased=erased,
            settings=task_settings,
        )
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            async with asyncio.timeout(30):
                await running

    return work
