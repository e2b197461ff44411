"""How long things are kept, what is on hold, and erasing before the time, with the receipts of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.identity import queries as people
from joule.identity.of_person import ERASED_NAME
from joule.identity.queries import SignedInPerson
from joule.kernel.action import Action
from joule.kernel.errors import Invalid, JouleError
from joule.kernel.ids import PersonId, TaskId
from joule.kernel.principal import Role
from joule.privacy import receipts
from joule.privacy.actions import (
    EraseOrganisation,
    ErasePerson,
    EraseTask,
    LiftHold,
    PlaceHold,
    SetRetention,
)
from joule.web import errors
from joule.web.access import Here, SettingsReader
from joule.web.context import Web
from joule.web.handing import handed_out
from joule.web.shell import shell_of
from traces.ending import holds, partitions, rules
from traces.ending.holds import Scope

router = APIRouter(prefix="/admin/retention")
AT = "/admin/retention"

_KINDS = {
    "retention": "Days that were over",
    "task": "One message",
    "person": "A person",
    "organisation": "The organisation",
}


@dataclass(frozen=True, kw_only=True)
class HoldLine:
    """One hold, as owners and admins see it."""

    id: UUID
    title: str
    reason: str
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ReceiptLine:
    """One receipt in a list."""

    id: UUID
    title: str
    at: datetime
    by: str
    went: str
    stays: Sequence[str]


@router.get("")
async def page(web: Here, person: SettingsReader) -> Response:
    """Everything there is to see and choose."""
    return await _page(web, person)


@router.post("/days")
async def choose(web: Here, person: SettingsReader, days: Annotated[str, Form()] = "") -> Response:
    """Chooses for how many days words can be read."""
    if not days.strip().isdecimal():
        error = Invalid("that is not a number of days", advice=f"Give a number from 1 to {rules.MOST_DAYS}.")
        return await _page(web, person, error=error)
    return await _done(web, person, SetRetention(principal=person.principal, days=int(days.strip()[:6])))


@router.post("/holds")
async def place(
    web: Here,
    person: SettingsReader,
    scope: Annotated[str, Form()] = "",
    who: Annotated[str, Form()] = "",
    task: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Puts something on hold."""
    try:
        chosen = Scope(scope)
        subject = {Scope.PERSON: who, Scope.TASK: task}.get(chosen)
        wish = PlaceHold(
            principal=person.principal, scope=chosen, subject=None if subject is None else _id(subject), reason=reason
        )
    except (ValueError, Invalid):
        problem = Invalid("it does not say what to hold", advice="Choose a person, or give the id of a task.")
        return await _page(web, person, error=problem)
    return await _done(web, person, wish)


@router.post("/holds/{hold}/lift")
async def lift(web: Here, person: SettingsReader, hold: UUID) -> Response:
    """Lets it be erased again."""
    return await _done(web, person, LiftHold(principal=person.principal, hold=hold))


@router.post("/erase/task")
async def erase_task(
    web: Here,
    person: SettingsReader,
    task: Annotated[str, Form()] = "",
    sure: Annotated[bool, Form()] = False,
) -> Response:
    """Erases one message."""
    try:
        _must_be_sure(sure)
        chosen = TaskId(_id(task))
    except Invalid as error:
        return await _page(web, person, error=error)
    return await _done(web, person, EraseTask(principal=person.principal, task=chosen))


@router.post("/erase/person")
async def erase_person(
    web: Here,
    person: SettingsReader,
    who: Annotated[str, Form()] = "",
    with_files: Annotated[bool, Form()] = False,
    sure: Annotated[bool, Form()] = False,
) -> Response:
    """Erases a person."""
    try:
        _must_be_sure(sure)
        chosen = PersonId(_id(who))
    except Invalid as error:
        return await _page(web, person, error=error)
    return await _done(web, person, ErasePerson(principal=person.principal, person=chosen, with_files=with_files))


@router.post("/erase/organisation")
async def erase_organisation(
    web: Here,
    person: SettingsReader,
    name: Annotated[str, Form()] = "",
    leave_untold: Annotated[bool, Form()] = False,
) -> Response:
    """Ends the organisation. Its name is typed, so that nobody does it by mistake."""
    async with web.house.database.read(person.org) as session:
        called = await people.organisation_name(session, web.house.vault, person.org)
    if " ".join(name.split()) != called:
        error = Invalid("that is not the name of your organisation", advice=f"Type “{called}” if you mean it.")
        return await _page(web, person, error=error)
    wish = EraseOrganisation(principal=person.principal, leave_untold=leave_untold)
    return await _done(web, person, wish, to="/sign-in")


@router.post("/export")
async def export(web: Here, person: SettingsReader, who: Annotated[str, Form()] = "") -> Response:
    """Hands out what is kept about a person."""
    try:
        chosen = PersonId(_id(who))
        return await handed_out(web, person, chosen)
    except JouleError as error:
        return await _page(web, person, error=error)


@router.get("/receipts/{receipt}")
async def download(web: Here, person: SettingsReader, receipt: UUID) -> Response:
    """The receipt as the signed note it is."""
    async with web.house.database.read(person.org) as session:
        found = await receipts.find(session, person.org, receipt)
    return Response(
        found.note,
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="erasure-{receipt}.txt"'},
    )


async def _done(web: Web, person: SignedInPerson, wish: Action[Any], *, to: str = AT) -> Response:
    try:
        await web.house.commands.perform(wish)
    except JouleError as error:
        return await _page(web, person, error=error)
    return RedirectResponse(to, status_code=303)


def _must_be_sure(sure: bool) -> None:
    if not sure:
        raise Invalid("nothing was erased", advice="Tick that you know that it cannot be undone, then send it again.")


def _id(word: str) -> UUID:
    try:
        return UUID(word.strip())
    except ValueError:
        raise Invalid("that is not an id", advice="Copy the id from the address of the page of the task.") from None


async def _page(web: Web, person: SignedInPerson, *, error: JouleError | None = None) -> Response:
    now = web.house.clock.now()
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at=AT)
        chosen = await rules.rules_of(session, person.org, default=web.settings.trace_retention)
        keyring = await web.house.vault.keyring(session, person.org)
        held = await holds.all_of(session, keyring, person.org)
        ahead = await partitions.ahead(session, now=now)
        found = await receipts.listed(session, person.org, limit=20)
        members = await people.people(session, web.house.vault, person.org)
    names: dict[UUID, str] = {each.person: each.name for each in members}
    today, newest = chosen.on(now.date()), chosen.rules[-1]
    return web.templates.page(
        "admin/retention.html",
        errors.status_of(error) if error else 200,
        shell=shell,
        days=today.days,
        later=newest if newest.from_day > now.date() else None,
        most=rules.MOST_DAYS,
        short=[each for each in ahead if not each.is_enough],
        holds=[_hold(each, reason, names) for each, reason in held if each.lifted_at is None],
        lifted=[_hold(each, reason, names) for each, reason in held if each.lifted_at is not None],
        members=[each for each in members if each.name != ERASED_NAME],
        receipts=[_receipt(each, names) for each in found],
        is_owner=person.role is Role.OWNER,
        message=errors.sentence(str(error)) if error else "",
        advice=error.advice() if error else "",
    )


def _hold(each: holds.Hold, reason: str, names: dict[UUID, str]) -> HoldLine:
    titles = {
        Scope.ORGANISATION: "Everything of this organisation",
        Scope.PERSON: f"Everything of {names.get(each.subject or UUID(int=0), 'a person')}",
        Scope.TASK: f"Task {each.subject}",
    }
    return HoldLine(
        id=each.id,
        title=titles[each.scope],
        reason=reason,
        placed_at=each.placed_at,
        placed_by=names.get(each.placed_by, "somebody") if each.placed_by else "Joule",
        lifted_at=each.lifted_at,
    )


def _receipt(each: receipts.Receipt, names: dict[UUID, str]) -> ReceiptLine:
    return ReceiptLine(
        id=each.id,
        title=_KINDS[each.kind],
        at=each.at,
        by=names.get(each.by, "somebody") if each.by else "Joule, on time",
        went=", ".join(f"{count} {name.replace('_', ' ')}" for name, count in each.went.items()) or "nothing",
        stays=each.stays,
    )
