"""Support asks to read what was said, gives it up, agrees to a break-glass; and whoever may, reads.

A read is a form that is sent, never a link: nothing that fetches a page ahead can write a read into the log.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.kernel.ids import TaskId
from joule.web.access import ContentReader, Here
from joule.web.support import pages
from traces.grants import reading
from traces.grants.actions import BreakGlass, ReadContent, RequestAccess, SecondBreakGlass, WithdrawAccess
from traces.grants.parts import Part

router = APIRouter(prefix="/support")


@router.post("/tasks/{task}/ask")
async def ask(
    web: Here,
    person: ContentReader,
    task: UUID,
    reason: Annotated[str, Form()],
    hours: Annotated[int, Form()],
    part: Annotated[list[Part] | None, Form()] = None,
    break_glass: Annotated[bool, Form()] = False,
) -> Response:
    """Asks the organisation, or, as a break-glass, a colleague of support."""
    kind = BreakGlass if break_glass else RequestAccess
    await web.house.commands.perform(
        kind(principal=person.principal, task=TaskId(task), parts=tuple(part or ()), reason=reason, hours=hours)
    )
    return RedirectResponse(f"/support/tasks/{task}#access", status_code=303)


@router.post("/access/{access}/second")
async def second(web: Here, person: ContentReader, access: UUID) -> Response:
    """Agrees to a break-glass as the second person; the organisation is told at once."""
    opened = await web.house.commands.perform(SecondBreakGlass(principal=person.principal, access=access))
    return RedirectResponse(f"/support/tasks/{opened.task}#access", status_code=303)


@router.post("/access/{access}/withdraw")
async def withdraw(web: Here, person: ContentReader, access: UUID) -> Response:
    """Gives up what one asked for or was granted."""
    ended = await web.house.commands.perform(WithdrawAccess(principal=person.principal, access=access))
    return RedirectResponse(f"/support/tasks/{ended.task}#access", status_code=303)


@router.post("/tasks/{task}/content")
async def read(web: Here, person: ContentReader, task: UUID) -> Response:
    """The timeline with what was said, after the read has been written into the organisation's log."""
    content = await opened(web, person, TaskId(task))
    return await pages.show(web, person, TaskId(task), content=content)


async def opened(web: Here, person: ContentReader, task: TaskId) -> reading.TaskContent:
    """What this person may read of a task, written down first. Raises `NoAccess`, `NotFound`, `JournalDown`."""
    on_record = await web.house.commands.perform(ReadContent(principal=person.principal, task=task))
    async with web.house.database.read(person.org) as session:
        return await reading.content(
            session,
            web.house.vault,
            person.org,
            on_record.read,
            person=person.person,
            now=web.house.clock.now(),
        )
