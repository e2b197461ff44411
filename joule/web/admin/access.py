"""Access to content: an owner or admin grants, declines, revokes, takes note; and sees every read there was."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.identity.queries import SignedInPerson
from joule.kernel.errors import JouleError
from joule.web import errors
from joule.web.access import AccessKeeper, Here
from joule.web.context import Web
from joule.web.shell import shell_of
from joule.web.support.asking import lines_of, part_list
from joule.web.support.naming import name_of, names_for
from traces.grants import queries as grants
from traces.grants.actions import AcknowledgeAccess, DeclineAccess, GrantAccess, RevokeAccess
from traces.grants.parts import Part

router = APIRouter(prefix="/admin/access")


@dataclass(frozen=True, kw_only=True)
class ReadLine:
    """One read."""

    who: str
    role: str
    task: UUID
    at: datetime
    parts: str
    under: str
    is_break_glass: bool


@router.get("")
async def page(web: Here, person: AccessKeeper) -> Response:
    """Requests, grants, reads."""
    return await _page(web, person)


@router.post("/{access}/grant")
async def grant(
    web: Here,
    person: AccessKeeper,
    access: UUID,
    hours: Annotated[int, Form()],
    part: Annotated[list[Part] | None, Form()] = None,
) -> Response:
    """Grants what was asked for, or less of it."""
    if not part:
        return await _page(web, person, wrong="Choose at least one part that may be read, or decline the request.")
    try:
        await web.house.commands.perform(
            GrantAccess(principal=person.principal, access=access, parts=tuple(part), hours=hours)
        )
    except JouleError as error:
        return await _page(web, person, error=error)
    return RedirectResponse("/admin/access", status_code=303)


@router.post("/{access}/decline")
async def decline(web: Here, person: AccessKeeper, access: UUID) -> Response:
    """Says no."""
    try:
        await web.house.commands.perform(DeclineAccess(principal=person.principal, access=access))
    except JouleError as error:
        return await _page(web, person, error=error)
    return RedirectResponse("/admin/access", status_code=303)


@router.post("/{access}/revoke")
async def revoke(web: Here, person: AccessKeeper, access: UUID) -> Response:
    """Ends a grant at once."""
    await web.house.commands.perform(RevokeAccess(principal=person.principal, access=access))
    return RedirectResponse("/admin/access", status_code=303)


@router.post("/{access}/acknowledge")
async def acknowledge(web: Here, person: AccessKeeper, access: UUID) -> Response:
    """Takes note of a break-glass."""
    await web.house.commands.perform(AcknowledgeAccess(principal=person.principal, access=access))
    return RedirectResponse("/admin/access", status_code=303)


async def _page(web: Web, person: SignedInPerson, *, error: JouleError | None = None, wrong: str = "") -> Response:
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/access")
        lines = await lines_of(web, session, person)
        names = await names_for(web, session, person)
        reads = await grants.reads(session, person.org, limit=100)
    status = errors.status_of(error) if error else 422 if wrong else 200
    return web.templates.page(
        "admin/access.html",
        status,
        shell=shell,
        alarms=[each for each in lines if each.is_break_glass and (each.is_waiting or each.is_live or each.is_unseen)],
        waiting=[each for each in lines if each.is_waiting and not each.is_break_glass],
        live=[each for each in lines if each.is_live and not each.is_break_glass],
        over=[each for each in lines if not each.is_waiting and not each.is_live and not each.is_unseen],
        reads=[
            ReadLine(
                who=name_of(names, each.reader),
                role=each.role.value,
                task=each.task,
                at=each.at,
                parts=part_list(each.parts),
                under="Break-glass" if each.is_break_glass else "Grant" if each.access else "Own organisation",
                is_break_glass=each.is_break_glass,
            )
            for each in reads
        ],
        message=wrong or (errors.sentence(str(error)) if error else ""),
        advice=error.advice() if error else "",
    )
