"""What a person does in a conversation: send, stop, try again, edit and resend, answer, rename, delete."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.ids import ProjectId, TaskId, ThreadId
from joule.tasks import queries as tasks
from joule.tasks.actions import AnswerApproval, DeleteMessage, DeleteThread, RenameThread, Started, StartTask, StopTask
from joule.tasks.errors import TaskEnded
from joule.tasks.queries import TaskView
from joule.web.access import Chatter, Here
from joule.web.chat.conversation import conversation
from joule.web.chat.turns import turn_of
from joule.web.chat.views import Turn
from joule.web.context import Web

router = APIRouter()

Text = Annotated[str, Form()]


@router.post("/projects/{project}/messages")
async def begin(web: Here, request: Request, person: Chatter, project: UUID, text: Text) -> Response:
    """Sends the first message of a conversation; the answer is its page, so that the stream opens at once."""
    made = await web.house.commands.perform(
        StartTask(principal=person.principal, project=ProjectId(project), text=text)
    )
    return await _there(web, request, person, project, made, None)


@router.post("/projects/{project}/threads/{thread}/messages")
async def send(
    web: Here,
    request: Request,
    person: Chatter,
    project: UUID,
    thread: UUID,
    text: Text,
    follows: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Sends the next message; the answer is its turn."""
    made = await web.house.commands.perform(
        StartTask(
            principal=person.principal,
            project=ProjectId(project),
            thread=ThreadId(thread),
            text=text,
            follows=TaskId(follows) if follows else None,
        )
    )
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/projects/{project}/threads/{thread}", status_code=303)
    return web.templates.page(
        "thread/_sent.html" if follows else "thread/_turn.html", turn=await _turn(web, person, made.task, fresh=True)
    )


@router.post("/projects/{project}/threads/{thread}/stop")
async def stop(web: Here, person: Chatter, project: UUID, thread: UUID) -> Response:
    """Stops whatever runs in the conversation. Nothing running is no error."""
    async with web.house.database.read(person.org) as session:
        found = await tasks.thread(session, web.house.vault, person.org, ThreadId(thread))
    for each in found.tasks:
        if not each.facts.state.is_ended:
            try:
                await web.house.commands.perform(StopTask(principal=person.principal, task=each.facts.task))
            except TaskEnded:  # it was quicker
                continue
    return Response(status_code=204)


@router.post("/projects/{project}/threads/{thread}/rename")
async def rename(web: Here, person: Chatter, project: UUID, thread: UUID, title: Text) -> Response:
    """Gives the conversation another title."""
    await web.house.commands.perform(RenameThread(principal=person.principal, thread=ThreadId(thread), title=title))
    return RedirectResponse(f"/projects/{project}/threads/{thread}", status_code=303)


@router.post("/projects/{project}/threads/{thread}/delete")
async def delete(web: Here, person: Chatter, project: UUID, thread: UUID) -> Response:
    """Deletes the conversation and the keys of its traces."""
    await web.house.commands.perform(DeleteThread(principal=person.principal, thread=ThreadId(thread)))
    return RedirectResponse(f"/projects/{project}", status_code=303)


@router.post("/chat/tasks/{task}/delete")
async def delete_message(web: Here, request: Request, person: Chatter, task: UUID) -> Response:
    """Deletes one message with its answer; what was said after it stays."""
    facts = (await _view(web, person, task)).facts
    gone = await web.house.commands.perform(DeleteMessage(principal=person.principal, task=TaskId(task)))
    if "hx-request" in request.headers and gone.thread is not None:
        return await conversation(web, person, facts.project, gone.thread, None)
    base = f"/projects/{facts.project}"
    there = base if gone.thread is None else f"{base}/threads/{gone.thread}"
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": there})
    return RedirectResponse(there, status_code=303)


@router.post("/chat/tasks/{task}/retry")
async def retry(web: Here, request: Request, person: Chatter, task: UUID) -> Response:
    """Sends the same words again, as another attempt."""
    view = await _view(web, person, task)
    return await _again(web, request, person, view, view.request or "")


@router.post("/chat/tasks/{task}/edit")
async def resend(web: Here, request: Request, person: Chatter, task: UUID, text: Text) -> Response:
    """Sends other words in place of these, as another attempt."""
    return await _again(web, request, person, await _view(web, person, task), text)


@router.get("/chat/tasks/{task}/edit")
async def edit(web: Here, person: Chatter, task: UUID) -> Response:
    """The message as a form."""
    return web.templates.page("thread/_edit.html", turn=await _turn(web, person, task))


@router.get("/chat/tasks/{task}/asked")
async def asked(web: Here, person: Chatter, task: UUID) -> Response:
    """The message as it was."""
    return web.templates.page("thread/_asked.html", turn=await _turn(web, person, task))


@router.post("/chat/approvals/{approval}")
async def answer(
    web: Here,
    person: Chatter,
    approval: UUID,
    answer: Annotated[Literal["approve", "decline"], Form()],
    note: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Approves once, or declines. The stream tells what follows."""
    await web.house.commands.perform(
        AnswerApproval(principal=person.principal, approval=approval, approved=answer == "approve", note=note)
    )
    return Response(status_code=204)


async def _again(web: Web, request: Request, person: SignedInPerson, view: TaskView, text: str) -> Response:
    made = await web.house.commands.perform(
        StartTask(
            principal=person.principal,
            project=view.facts.project,
            thread=view.facts.thread,
            text=text,
            replaces=view.facts.task,
        )
    )
    return await _there(web, request, person, view.facts.project, made, made.task)


async def _there(
    web: Web, request: Request, person: SignedInPerson, project: UUID, made: Started, leaf: UUID | None
) -> Response:
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/projects/{project}/threads/{made.thread}", status_code=303)
    return await conversation(web, person, project, made.thread, leaf, fresh=made.task)


async def _view(web: Web, person: SignedInPerson, task: UUID) -> TaskView:
    async with web.house.database.read(person.org) as session:
        return await tasks.task(session, web.house.vault, person.org, TaskId(task))


async def _turn(web: Web, person: SignedInPerson, task: UUID, *, fresh: bool = False) -> Turn:
    async with web.house.database.read(person.org) as session:
        view = await tasks.task(session, web.house.vault, person.org, TaskId(task))
        names = {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}
        return await turn_of(web, session, person, view, names, fresh=fresh)
