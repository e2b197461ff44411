"""A person's own settings: name, password, colours, and where they are signed in."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.identity import queries
from joule.identity.actions import EndSession, RenamePerson, Secret, SetPassword
from joule.identity.queries import OpenSession, SignedInPerson
from joule.kernel.errors import JouleError
from joule.web import errors
from joule.web.access import Account, Here
from joule.web.context import Web
from joule.web.handing import handed_out
from joule.web.shell import shell_of

router = APIRouter(prefix="/account")


@router.get("")
async def page(web: Here, person: Account, done: str = "") -> Response:
    """The page. `done` says what has just been saved."""
    message = {"name": "Your name was saved.", "password": "Your password was saved.", "session": "It was ended."}
    return await _page(web, person, message=message.get(done, ""))


@router.post("/name")
async def rename(web: Here, person: Account, name: Annotated[str, Form()]) -> Response:
    """Saves one's name."""
    await web.house.commands.perform(RenamePerson(principal=person.principal, person_name=name))
    return RedirectResponse("/account?done=name", status_code=303)


@router.post("/password")
async def choose_password(
    web: Here, person: Account, password: Annotated[str, Form()], current: Annotated[str, Form()] = ""
) -> Response:
    """Saves one's password; every other session ends."""
    action = SetPassword(
        principal=person.principal,
        password=Secret(password),
        current=Secret(current) if current else None,
        keep=person.session,
    )
    try:
        await web.house.commands.perform(action)
    except JouleError as error:
        return await _page(web, person, error=error)
    return RedirectResponse("/account?done=password", status_code=303)


@router.post("/sessions/{session}/end")
async def end(web: Here, person: Account, session: UUID) -> Response:
    """Ends one of one's own sessions."""
    await web.house.commands.perform(EndSession(principal=person.principal, session=session))
    return RedirectResponse("/account?done=session", status_code=303)


@router.post("/export")
async def export(web: Here, person: Account) -> Response:
    """Hands out what is kept about oneself."""
    return await handed_out(web, person, person.person)


async def _page(web: Web, person: SignedInPerson, *, message: str = "", error: JouleError | None = None) -> Response:
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person)
        found = await queries.open_sessions(
            session, person.org, person=person.person, now=web.house.clock.now(), lifetimes=web.lifetimes
        )
    return web.templates.page(
        "account/page.html",
        errors.status_of(error) if error else 200,
        shell=shell,
        has_password=person.has_password,
        sessions=[session_line(each, person, "/account/sessions") for each in found],
        message=errors.sentence(str(error)) if error else message,
        advice=error.advice() if error else "",
        kind="no" if error else "ok",
    )


def session_line(open_session: OpenSession, person: SignedInPerson, under: str, name: str = "") -> dict[str, Any]:
    """A session as a line of a list."""
    return {
        "title": open_session.agent.value.replace("_", " ").capitalize(),
        "person": name,
        "since": open_session.created_at,
        "used": open_session.last_seen_at,
        "current": open_session.session == person.session,
        "end": f"{under}/{open_session.session}/end",
    }
