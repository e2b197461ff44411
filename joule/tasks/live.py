"""Follows a task while it happens: what its journal says, as soon as it says it.

Signals only wake; the rows are read again each time, so a lost signal costs a second and nothing else.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from joule.database.engine import Database
from joule.kernel.ending import end
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, TaskId, ThreadId
from joule.tasks import queries
from joule.tasks.state import State
from joule.tasks.stream import EventId, Projection, Sent
from joule.vault.errors import NoKey, Shredded
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from traces import reader, sealing
from traces.reader import TaskEvent

LOOK_SECONDS = 1.0  # how often the rows are read when no signal comes
KEEP_ALIVE_SECONDS = 15.0  # the longest silence; proxies cut quieter connections


@dataclass(frozen=True, kw_only=True)
class Look:
    """A task at one moment. `state` was read before `rows`: of an ended task the rows are all there are."""

    thread: ThreadId
    state: State
    code: str | None
    rows: Sequence[TaskEvent]


Reading = Callable[[int], Awaitable[Look]]
"""Reads a task's rows after a sequence number (-1: all). Raises `NotFound` once the task was deleted."""


def reading(database: Database, vault: Vault, org: OrgId, task: TaskId) -> Reading:
    """Reads `task` with its content, or without it where its key was shredded."""

    async def read(after: int) -> Look:
        async with database.read(org) as session:
            facts = await queries.facts(session, org, task)
            keyring: Keyring | None = None
            with contextlib.suppress(NoKey, Shredded, NotFound):  # without a journal there is nothing to open yet
                keyring = await sealing.ring(session, vault, org, task)
            rows = await reader.events(session, keyring, org, task, after=after)
        return Look(thread=facts.thread, state=facts.state, code=facts.code, rows=rows)

    return read


async def follow(
    task: TaskId,
    *,
    read: Reading,
    signals: AsyncIterator[str],
    after: str | None = None,
    through_pauses: bool = False,
    keep_alive: float = KEEP_ALIVE_SECONDS,
) -> AsyncGenerator[Sent | None, None]:
    """The events of a task after the one called `after`, until it has ended or pauses for a person.

    With `through_pauses` it stays while the person thinks, and goes on with the next run.
    None means that nothing happened for `keep_alive` seconds: send a comment. `signals` is `database.listen(TASK_CHANNEL)`.
    Raises `NotFound` when the task is, or gets, deleted.
    """
    seen, last = EventId.parse(after), -1
    projection: Projection | None = None
    async with _bell(task, signals) as bell:
        quiet = 0.0
        while True:
            bell.clear()
            look = await read(last)
            projection = projection or Projection(task=task, thread=look.thread)
            sent = projection.feed(look.rows)
            last = look.rows[-1].seq if look.rows else last
            if look.state.is_ended:
                sent += projection.close(look.state, look.code)
            for each in sent:
                if seen is None or each.id > seen:
                    quiet = 0.0
                    yield each
            if look.state.is_ended or (look.state is State.WAITING and not through_pauses):
                return
            quiet = 0.0 if await _rung(bell) else quiet + LOOK_SECONDS
            if quiet >= keep_alive:
                quiet = 0.0
                yield None


async def _rung(bell: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(bell.wait(), LOOK_SECONDS)
    except TimeoutError:
        return False
    return True


@contextlib.asynccontextmanager
async def _bell(task: TaskId, signals: AsyncIterator[str]) -> AsyncIterator[asyncio.Event]:
    """An event that is set when there may be news of `task`."""
    bell = asyncio.Event()

    async def ring() -> None:
        async for payload in signals:
            if payload in {"", str(task)}:
                bell.set()

    ringing = asyncio.create_task(ring(), name=f"bell of {task}")
    try:
        yield bell
    finally:
        await end(ringing)
