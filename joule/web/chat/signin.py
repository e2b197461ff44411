"""Signing in and out.

Opening a link only shows a button: programs that look at links before people do must not use them up.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from joule.identity import tokens
from joule.identity.actions import Secret, SignInWithLink, SignInWithPassword, SignOut
from joule.identity.errors import LinkUnusable
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via
from joule.web import errors
from joule.web.access import Account, Here, Passer, family_of, farewell, welcome
from joule.web.shell import is_offline

router = APIRouter()


def _stranger(org: OrgId) -> Principal:
    return Principal(org=org, person=None, role=Role.ANONYMOUS, via=Via.PERSON)


@router.get("/healthz")
async def health(person: Passer) -> Response:
    """Whether the pages are up; says nothing else."""
    return PlainTextResponse("ok")


@router.get("/sign-in")
async def page(web: Here, person: Passer, next: str = "") -> Response:  # noqa: A002 - the word in the address
    """The form; whoever is signed in already goes on."""
    if person is not None:
        return RedirectResponse(_inside(next), status_code=303)
    return web.templates.page(
        "signin/page.html", next=_inside(next), email="", message="", advice="", offline=is_offline(web)
    )


@router.post("/sign-in")
async def by_password(
    web: Here,
    request: Request,
    person: Passer,
    email: Annotated[str, Form()],
    password: Annotated[str, Form()],
    next: Annotated[str, Form()] = "",  # noqa: A002 - the word in the form
) -> Response:
    """Signs in by address and password. On failure the address stays in the form."""
    try:
        org = await web.addresses.organisation_of(email)
        session = await web.house.commands.perform(
            SignInWithPassword(
                principal=_stranger(org),
                email=email,
                password=Secret(password),
                agent=family_of(request),
                replaces=_session_in(person, org),
            )
        )
    except JouleError as error:
        return web.templates.page(
            "signin/page.html",
            errors.status_of(error),
            next=_inside(next),
            email=email,
            message=errors.sentence(str(error)),
            advice=error.advice(),
            offline=is_offline(web),
        )
    return welcome(web, RedirectResponse(_inside(next), status_code=303), session)


@router.get("/sign-in/link")
async def link(web: Here, person: Passer, token: str) -> Response:
    """Shows the button that uses the link."""
    return web.templates.page("signin/link.html", token=token, offline=is_offline(web))


@router.post("/sign-in/link")
async def by_link(web: Here, request: Request, person: Passer, token: Annotated[str, Form()]) -> Response:
    """Uses the link."""
    org = tokens.organisation_of(Secret(token))
    if org is None:
        raise LinkUnusable()
    session = await web.house.commands.perform(
        SignInWithLink(
            principal=_stranger(org),
            token=Secret(token),
            agent=family_of(request),
            replaces=_session_in(person, org),
        )
    )
    return welcome(web, RedirectResponse("/", status_code=303), session)


@router.post("/sign-out")
async def leave(web: Here, person: Account) -> Response:
    """Ends this browser's session."""
    await web.house.commands.perform(SignOut(principal=person.principal, session=person.session))
    return farewell(web, RedirectResponse("/sign-in", status_code=303))


def _session_in(person: SignedInPerson | None, org: OrgId) -> UUID | None:
    return person.session if person is not None and person.org == org else None


def _inside(path: str) -> str:
    """A path of our own to go on to; never another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
