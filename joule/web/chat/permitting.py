"""Gives the permission that a task waits for: admins where all of the provider's permissions are, members right here.

A member sees what exactly is asked for, and why not when their organisation leaves it to others.
"""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from integrations import stepping
from integrations.actions import BeginStepUp
from integrations.errors import AdminsGive, ConnectionRevoked
from integrations.mcp import queries as mcp
from joule.identity.permissions import Permission as Page
from joule.identity.permissions import allowed
from joule.kernel.errors import JouleError
from joule.tasks.lacking import WaitingTasks
from joule.web import errors
from joule.web.access import Chatter, Here
from joule.web.chat import lacking
from joule.web.chat.views import Permission
from joule.web.context import Web
from joule.web.leaving import leave, redirect_uri
from joule.web.shell import shell_of

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class Asking:
    """The page: what is asked for, where it goes, and why it cannot be given here (empty: it can)."""

    href: str
    back: str
    provider: str
    permissions: tuple[Permission, ...]
    refusal: str = ""
    advice: str = ""


@router.get("/chat/permissions/{question}")
async def ask(web: Here, person: Chatter, question: UUID) -> Response:
    """Says what would be given; an admin is led to the provider's page, where all its permissions are."""
    async with web.house.database.read(person.org) as session:
        asked = await _waiting(web).lacking(session, person.org, question)
        server = await mcp.of_connection(session, person.org, asked.connection)
        if server is not None and allowed(person.role, Page.INTEGRATIONS):
            return RedirectResponse(lacking.where_admins_sign_in(server, asked), status_code=303)
        if server is not None:
            raise AdminsGive("an MCP server", "signing in is up to an admin")
        refusal: JouleError | None = None
        try:
            found = await stepping.step_up(session, person.principal, asked)
        except (AdminsGive, ConnectionRevoked) as problem:
            refusal = problem
        else:
            if allowed(person.role, Page.INTEGRATIONS):
                return RedirectResponse(lacking.where_admins_give(found.provider.id, asked), status_code=303)
        provider = await stepping.provider_of(session, person.org, asked)
        shell = await shell_of(web, session, person)
    page = Asking(
        href=f"/chat/permissions/{question}",
        back=asked.back,
        provider=provider.title,
        permissions=lacking.permissions(provider, asked.scopes),
        refusal=errors.sentence(str(refusal)) if refusal else "",
        advice=refusal.advice() if refusal else "",
    )
    status = errors.status_of(refusal) if refusal else 200
    return web.templates.page("thread/permission.html", status, shell=shell, page=page)


@router.post("/chat/permissions/{question}")
async def give(web: Here, request: Request, person: Chatter, question: UUID) -> Response:
    """Begins the consent for it and sends the browser to the provider."""
    async with web.house.database.read(person.org) as session:
        asked = await _waiting(web).lacking(session, person.org, question)
        provider = await stepping.provider_of(session, person.org, asked)
    consent = await web.house.commands.perform(
        BeginStepUp(
            principal=person.principal,
            question=question,
            session=person.session,
            redirect_uri=redirect_uri(web, request, provider.id),
        )
    )
    return await leave(web, request, person, consent, title=provider.title, back=asked.back)


def _waiting(web: Web) -> WaitingTasks:
    return WaitingTasks(vault=web.house.vault, clock=web.house.clock)
