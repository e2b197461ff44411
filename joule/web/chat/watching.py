"""Reads a task's events as they stand, or follows them as they come. The one source of every stream and every page."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import monotonic

from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, TaskId
from joule.tasks.live import follow, reading
from joule.tasks.queries import TaskFacts
from joule.tasks.state import TASK_CHANNEL
from joule.tasks.stream import Projection, Sent
from joule.vault.errors import NoKey, Shredded
from joule.web.context import Web
from traces import reader, sealing

ASKED_AGAIN = 15.0  # seconds


async def events_so_far(web: Web, session: ReadSession, org: OrgId, facts: TaskFacts) -> list[Sent]:
    """All events of a task until now; without content when its key was destroyed."""
    try:
        keyring = await sealing.ring(session, web.house.vault, org, facts.task)
    except (NoKey, NotFound, Shredded):
        keyring = None
    projection = Projection(task=facts.task, thread=facts.thread)
    sent = projection.feed(await reader.events(session, keyring, org, facts.task))
    return [*sent, *projection.close(facts.state, facts.code)] if facts.state.is_ended else sent


async def followed(
    web: Web,
    person: SignedInPerson,
    task: TaskId,
    *,
    after: str | None = None,
    through_pauses: bool = False,
    asked_again: float = ASKED_AGAIN,
) -> AsyncGenerator[Sent | None, None]:
    """A task's events after `after` as they come, for as long as the person is signed in; see `follow`.

    None when a sign of life is due. `asked_again`: seconds after which a session that was ended must be noticed.
    """
    house = web.house
    events = follow(
        task,
        read=reading(house.database, house.vault, person.org, task),
        signals=house.database.listen(TASK_CHANNEL),
        after=after,
        through_pauses=through_pauses,
    )
    asked = monotonic()
    async with aclosing(events):
        async for each in events:
            if monotonic() - asked >= asked_again:
                if not await web.visitors.is_still_in(person):
                    return
                asked = monotonic()
            yield each
