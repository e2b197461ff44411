"""The live stream of a task: as fragments for our pages. It opens at once and goes on from the last id a browser saw."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from joule.identity.queries import SignedInPerson
from joule.kernel.ids import TaskId
from joule.tasks import queries
from joule.tasks.queries import TaskFacts
from joule.tasks.stream import KEEP_ALIVE, EventId
from joule.web.access import Chatter, Here
from joule.web.chat.fragments import Fragments
from joule.web.chat.telling import Telling
from joule.web.chat.turns import telling_of
from joule.web.chat.watching import followed
from joule.web.context import Web

router = APIRouter()

HEADERS = {"X-Accel-Buffering": "no"}  # a proxy must pass every message on at once


@router.get("/chat/tasks/{task}/stream")
async def stream(
    web: Here,
    person: Chatter,
    task: UUID,
    after: Annotated[str, Query()] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """The fragments of a task after `after`, or after the last one seen when the browser comes back."""
    async with web.house.database.read(person.org) as session:
        facts = await queries.facts(session, person.org, TaskId(task))
        earlier = await queries.label_before(session, person.org, TaskId(task))
    telling = telling_of(web, facts, earlier)
    seen = EventId.parse(last_event_id) or EventId.parse(after)
    return StreamingResponse(
        _fragments(web, person, facts, telling, seen), media_type="text/event-stream", headers=HEADERS
    )


async def _fragments(
    web: Web, person: SignedInPerson, facts: TaskFacts, telling: Telling, seen: EventId | None
) -> AsyncIterator[str]:
    fragments = Fragments(templates=web.templates)
    # Told from the first event on, whatever the browser has: a fragment is made from all that came before it.
    async for news in followed(web, person, facts.task, through_pauses=True):
        if news is None:
            yield KEEP_ALIVE
            continue
        changes = telling.take(news.event)
        if seen is not None and news.id <= seen:
            continue
        for each in fragments.messages(changes, telling, facts, event_id=str(news.id)):
            yield each
    async with web.house.database.read(person.org) as session:
        facts = await queries.facts(session, person.org, facts.task)
    if not facts.state.is_ended:
        return  # it goes on, but not for somebody who is no longer signed in
    for each in fragments.ending(telling, facts):
        yield each
