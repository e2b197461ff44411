"""Tasks: start, look, stop, answer, and the live stream as AG-UI 1.0 events."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from joule.identity.queries import SignedInPerson
from joule.kernel.ids import ProjectId, TaskId, ThreadId
from joule.tasks import queries
from joule.tasks.actions import AnswerApproval, StartTask, StopTask
from joule.tasks.stream import KEEP_ALIVE, sse
from joule.web.access import Chatter, Here
from joule.web.chat.streaming import HEADERS
from joule.web.chat.watching import followed
from joule.web.context import Web

router = APIRouter(prefix="/api/v1")


class TaskIn(BaseModel):
    """A message: into a new thread, at the end of one, or in place of an earlier message."""

    project: UUID
    text: str
    thread: UUID | None = None
    replaces: UUID | None = None
    follows: UUID | None = None


class StartedOut(BaseModel):
    """The task that was started."""

    task: UUID
    thread: UUID


class TaskOut(BaseModel):
    """A task with its words; None where their key was destroyed."""

    task: UUID
    thread: UUID
    project: UUID
    state: str
    code: str | None
    attempt: int
    request: str | None
    answer: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class StoppingOut(BaseModel):
    """Whether it has stopped already."""

    task: UUID
    at_once: bool


class AnswerIn(BaseModel):
    """How a person answers."""

    approved: bool
    note: str = ""


class AnsweredOut(BaseModel):
    """The task that goes on."""

    task: UUID


@router.post("/tasks", status_code=201)
async def start(web: Here, person: Chatter, given: TaskIn) -> StartedOut:
    """Sends a message."""
    made = await web.house.commands.perform(
        StartTask(
            principal=person.principal,
            project=ProjectId(given.project),
            thread=ThreadId(given.thread) if given.thread else None,
            text=given.text,
            replaces=TaskId(given.replaces) if given.replaces else None,
            follows=TaskId(given.follows) if given.follows else None,
        )
    )
    return StartedOut(task=made.task, thread=made.thread)


@router.get("/tasks/{task}")
async def look(web: Here, person: Chatter, task: UUID) -> TaskOut:
    """One task."""
    async with web.house.database.read(person.org) as session:
        view = await queries.task(session, web.house.vault, person.org, TaskId(task))
    facts = view.facts
    return TaskOut(
        task=facts.task,
        thread=facts.thread,
        project=facts.project,
        state=facts.state.value,
        code=facts.code,
        attempt=facts.attempt,
        request=view.request,
        answer=view.answer,
        created_at=facts.created_at,
        started_at=facts.started_at,
        ended_at=facts.ended_at,
    )


@router.post("/tasks/{task}/stop")
async def stop(web: Here, person: Chatter, task: UUID) -> StoppingOut:
    """Stops a task."""
    stopping = await web.house.commands.perform(StopTask(principal=person.principal, task=TaskId(task)))
    return StoppingOut(task=stopping.task, at_once=stopping.at_once)


@router.post("/approvals/{approval}")
async def answer(web: Here, person: Chatter, approval: UUID, given: AnswerIn) -> AnsweredOut:
    """Answers what a task waits for."""
    answered = await web.house.commands.perform(
        AnswerApproval(principal=person.principal, approval=approval, approved=given.approved, note=given.note)
    )
    return AnsweredOut(task=answered.task)


@router.get("/tasks/{task}/events")
async def events(
    web: Here,
    person: Chatter,
    task: UUID,
    after: Annotated[str, Query()] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """The task as AG-UI events, from `after` or the last id seen on, until it ends or pauses for a person."""
    async with web.house.database.read(person.org) as session:
        await queries.facts(session, person.org, TaskId(task))
    stream = _events(web, person, TaskId(task), last_event_id or after)
    return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)


async def _events(web: Web, person: SignedInPerson, task: TaskId, after: str) -> AsyncIterator[str]:
    async for news in followed(web, person, task, after=after):
        yield KEEP_ALIVE if news is None else sse(news)
