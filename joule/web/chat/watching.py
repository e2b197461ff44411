"""Reads a task's events as they stand, or watches them as they come. The one source of every stream and every page."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, TaskId
from joule.tasks import queries
from joule.tasks.queries import TaskFacts
from joule.tasks.state import TASK_CHANNEL, State
from joule.tasks.stream import Projection, Sent
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault
from joule.web.context import Web
from traces import reader
from traces.reader import TaskEvent

_LOOK_WHILE_RUNNING = 0.25  # seconds; signals come sooner, this is for one that was missed
_LOOK_ELSE = 2.0
_KEEP_ALIVE = 15.0


@dataclass(frozen=True, kw_only=True)
class Alive:
    """Nothing has happened for a while."""


@dataclass(frozen=True, kw_only=True)
class Over:
    """The task has ended; nothing more will come."""

    facts: TaskFacts


async def rows_of(session: ReadSession, vault: Vault, org: OrgId, task: TaskId, *, after: int = -1) -> list[TaskEvent]:
    """The journal of a task with its content, or without it when its key was destroyed."""
    try:
        keyring = await vault.keyring(session, org, f"task:{task}")
    except (NoKey, Shredded):
        keyring = None
    return await reader.events(session, keyring, org, task, after=after)


async def events_so_far(session: ReadSession, vault: Vault, facts: TaskFacts, org: OrgId) -> list[Sent]:
    """All events of a task until now."""
    projection = Projection(task=facts.task, thread=facts.thread)
    sent = projection.feed(await rows_of(session, vault, org, facts.task))
    return [*sent, *projection.close(facts.state, facts.code)] if facts.state.is_ended else sent


async def watch(web: Web, org: OrgId, facts: TaskFacts) -> AsyncGenerator[Sent | Alive | Over, None]:
    """Every event from the first on, for as long as the task lasts; then `Over`, once."""
    projection, seen, quiet = Projection(task=facts.task, thread=facts.thread), -1, 0.0
    async with _news(web, facts.task) as news:
        while True:
            news.clear()
            # The state is read before the rows: a task that has ended writes no more of them.
            async with web.house.database.read(org) as session:
                facts = await queries.facts(session, org, facts.task)
                rows = await rows_of(session, web.house.vault, org, facts.task, after=seen)
            for sent in projection.feed(rows):
                yield sent
            if facts.state.is_ended:
                for sent in projection.close(facts.state, facts.code):
                    yield sent
                yield Over(facts=facts)
                return
            seen = rows[-1].seq if rows else seen
            patience = _LOOK_WHILE_RUNNING if facts.state is State.RUNNING else _LOOK_ELSE
            quiet = 0.0 if rows else quiet + patience
            if quiet >= _KEEP_ALIVE:
                quiet = 0.0
                yield Alive()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), timeout=patience)


@contextlib.asynccontextmanager
async def _news(web: Web, task: TaskId) -> AsyncIterator[asyncio.Event]:
    """An event that is set whenever there may be something new of the task."""
    news = asyncio.Event()

    async def hear() -> None:
        async for signal in web.house.database.listen(TASK_CHANNEL):
            if signal in {"", str(task)}:
                news.set()

    hearing = asyncio.create_task(hear(), name="news of a task")
    try:
        yield news
    finally:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
