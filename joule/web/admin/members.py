"""Members: invite, change the role, issue a link, end sessions, deactivate."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from joule.identity import queries
from joule.identity.actions import ChangeRole, DeactivatePerson, EndSession, InvitePerson, IssueSignInLink, Secret
from joule.identity.permissions import governs
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import Invalid, JouleError
from joule.kernel.ids import PersonId
from joule.kernel.principal import Role
from joule.web import errors
from joule.web.access import Here, MemberKeeper
from joule.web.chat.account import session_line
from joule.web.context import Web
from joule.web.shell import shell_of

router = APIRouter(prefix="/admin")

_ROLES = (Role.MEMBER, Role.SUPPORT, Role.ADMIN, Role.OWNER)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One line of the list."""

    id: UUID
    href: str
    name: str
    email: str
    role: str
    status: str
    may_change: bool


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An invitation as it was typed, so that a mistake costs no retyping."""

    name: str = ""
    email: str = ""
    role: str = Role.MEMBER.value


@dataclass(frozen=True, kw_only=True)
class NewLink:
    """A sign-in link, shown once."""

    title: str
    name: str
    url: str
    until: datetime


@router.get("")
async def start(person: MemberKeeper) -> Response:
    """The first of these pages."""
    return RedirectResponse("/admin/members", status_code=303)


@router.get("/members")
async def page(web: Here, person: MemberKeeper) -> Response:
    """The list."""
    return await _page(web, person)


@router.post("/members")
async def invite(
    web: Here,
    request: Request,
    person: MemberKeeper,
    name: Annotated[str, Form()],
    email: Annotated[str, Form()],
    role: Annotated[str, Form()],
) -> Response:
    """Adds a person and shows their link."""
    draft = Draft(name=name, email=email, role=role)
    try:
        made = await web.house.commands.perform(
            InvitePerson(principal=person.principal, person_name=name, email=email, role=_role(role))
        )
    except JouleError as error:
        return await _page(web, person, draft=draft, error=error)
    url = _link(request, made.token)
    link = NewLink(title=f"{name} can now sign in.", name=name, url=url, until=made.expires_at)
    return await _page(web, person, link=link)


@router.post("/members/{member}/role")
async def change_role(web: Here, person: MemberKeeper, member: UUID, role: Annotated[str, Form()]) -> Response:
    """Gives another role; the person's sessions end."""
    try:
        await web.house.commands.perform(
            ChangeRole(principal=person.principal, person=PersonId(member), role=_role(role))
        )
    except JouleError as error:
        return await _page(web, person, error=error)
    return RedirectResponse("/admin/members", status_code=303)


@router.post("/members/{member}/link")
async def issue_link(web: Here, request: Request, person: MemberKeeper, member: UUID) -> Response:
    """Makes a new sign-in link and shows it."""
    try:
        made = await web.house.commands.perform(IssueSignInLink(principal=person.principal, person=PersonId(member)))
    except JouleError as error:
        return await _page(web, person, error=error)
    name = next((each.name for each in await _people(web, person) if each.person == member), "this person")
    link = NewLink(title="The link is ready.", name=name, url=_link(request, made.token), until=made.expires_at)
    return await _page(web, person, link=link)


@router.post("/members/{member}/deactivate")
async def deactivate(web: Here, person: MemberKeeper, member: UUID) -> Response:
    """Shuts a person out."""
    await web.house.commands.perform(DeactivatePerson(principal=person.principal, person=PersonId(member)))
    return Response(headers={"HX-Redirect": "/admin/members"})


@router.post("/sessions/{session}/end")
async def end(web: Here, person: MemberKeeper, session: UUID) -> Response:
    """Ends a member's session."""
    await web.house.commands.perform(EndSession(principal=person.principal, session=session))
    return RedirectResponse("/admin/members", status_code=303)


def _role(word: str) -> Role:
    if word not in {each.value for each in _ROLES}:
        raise Invalid("there is no such role", advice="Choose one of the roles in the list.")
    return Role(word)


def _link(request: Request, token: Secret) -> str:
    return f"{str(request.base_url).rstrip('/')}/sign-in/link?token={token.get_secret_value()}"


async def _people(web: Web, person: SignedInPerson) -> tuple[queries.Person, ...]:
    async with web.house.database.read(person.org) as session:
        return await queries.people(session, web.house.vault, person.org)


async def _page(
    web: Web,
    person: SignedInPerson,
    *,
    draft: Draft | None = None,
    link: NewLink | None = None,
    error: JouleError | None = None,
) -> Response:
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/members")
        found = await queries.people(session, web.house.vault, person.org)
        sessions = await queries.open_sessions(
            session, person.org, person=None, now=web.house.clock.now(), lifetimes=web.lifetimes
        )
    names = {each.person: each.name for each in found}
    return web.templates.page(
        "admin/members.html",
        errors.status_of(error) if error else 200,
        shell=shell,
        members=[_member(each, person) for each in found],
        roles=[each.value for each in _ROLES if governs(person.role, each)],
        sessions=[session_line(each, person, "/admin/sessions", names.get(each.person, "")) for each in sessions],
        draft=draft or Draft(),
        link=link,
        message=errors.sentence(str(error)) if error else "",
        advice=error.advice() if error else "",
    )


def _member(each: queries.Person, person: SignedInPerson) -> Member:
    return Member(
        id=each.person,
        href=f"/admin/members/{each.person}",
        name=each.name,
        email=each.email,
        role=each.role.value,
        status=each.status,
        may_change=governs(person.role, each.role) and each.person != person.person and each.status != "deactivated",
    )
