"""Signing in to an MCP server: at its own issuer, as a client that the issuer knows, for that one server."""

from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from integrations.actions import BeginConnection, RevokeConnection, SetProviderClient
from integrations.catalogue.errors import ProviderUnknown
from integrations.mcp import queries
from integrations.mcp.actions import RegisterMcpClient
from integrations.mcp.errors import McpNoRegistration
from integrations.mcp.queries import McpServerView, SignInView
from integrations.mcp.sign_in import provider_id, scopes_in, server_of
from integrations.oauth.resources import client_document
from integrations.results import Secret
from joule.identity.queries import SignedInPerson
from joule.kernel.action import Action
from joule.kernel.errors import Invalid, JouleError, NotFound
from joule.web import errors
from joule.web.access import Connector, Here, Passer
from joule.web.admin.integrations.mcp_views import McpSignInPage
from joule.web.context import Web
from joule.web.leaving import leave, redirect_uri
from joule.web.shell import shell_of

router = APIRouter(prefix="/admin/integrations/mcp/servers/{server}")
documents = APIRouter(prefix="/integrations/clients")

_LIST = "/admin/integrations/mcp"


@router.get("/sign-in")
async def page(
    web: Here,
    request: Request,
    person: Connector,
    server: UUID,
    scope: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI makes a new one for each request
    task: str = "",
    return_to: str = "",
) -> Response:
    """Says who signs people in and what is asked for. `scope`, `task` and `return_to` come from a task that waits."""
    return await _page(web, request, person, server, scopes_in(scope), task[:36], return_to[:500])


@router.post("/sign-in")
async def begin(
    web: Here,
    request: Request,
    person: Connector,
    server: UUID,
    scope: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI makes a new one for each request
    task: Annotated[str, Form()] = "",
    return_to: Annotated[str, Form()] = "",
) -> Response:
    """Makes Joule known to the issuer if need be, and sends the browser there."""
    name, more = provider_id(server), scopes_in(scope)
    back = redirect_uri(web, request, name)
    found, known = await _known(web, person, server)
    try:
        if not known.client_id:
            await web.house.commands.perform(_becoming_known(person, server, known, back))
        consent = await web.house.commands.perform(
            BeginConnection(
                principal=person.principal,
                provider=name,
                scopes=more,
                session=person.session,
                redirect_uri=back,
                return_to=return_to or None,
                task=_id(task),
            )
        )
    except JouleError as error:
        if "hx-request" in request.headers:
            raise
        return await _page(web, request, person, server, more, task, return_to, error=error)
    return await leave(web, request, person, consent, title=found.title, back=_LIST, at="/admin/integrations")


@router.post("/client")
async def save_client(
    web: Here,
    request: Request,
    person: Connector,
    server: UUID,
    client_id: Annotated[str, Form()] = "",
    client_secret: Annotated[str, Form()] = "",
) -> Response:
    """Says who Joule is at the issuer; an empty id forgets it. The secret is sealed and never shown again."""
    await _known(web, person, server)
    action = SetProviderClient(
        principal=person.principal,
        provider=provider_id(server),
        client_id=client_id.strip(),
        client_secret=Secret(client_secret.strip()) if client_secret.strip() else None,
    )
    try:
        await web.house.commands.perform(action)
    except JouleError as error:
        return await _page(web, request, person, server, (), "", "", error=error)
    return RedirectResponse(f"{_LIST}/servers/{server}/sign-in", status_code=303)


@router.post("/sign-out")
async def sign_out(web: Here, person: Connector, server: UUID) -> Response:
    """Ends the sign-in: dead for every worker before this answers; the issuer is told by a job that follows."""
    _, known = await _known(web, person, server)
    if known.connection is None or known.connection.is_over:
        raise NotFound("connection")
    await web.house.commands.perform(
        RevokeConnection(principal=person.principal, connection=known.connection.connection)
    )
    return RedirectResponse(f"{_LIST}?done=out", status_code=303)


@documents.get("/{provider}.json")
async def document(web: Here, request: Request, person: Passer, provider: str) -> Response:
    """Joule as a client whose id is this very address, for issuers that take such; the same for everybody."""
    if server_of(provider) is None or not redirect_uri(web, request, provider).startswith("https://"):
        raise ProviderUnknown()
    back = redirect_uri(web, request, provider)
    told = client_document(_document_url(back, provider), name="Joule", redirect_uris=(back,))
    return JSONResponse(told, headers={"Cache-Control": "public, max-age=3600"})


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid("this is not an id of ours", advice="Go back to where you came from and try again.") from None


def _becoming_known(person: SignedInPerson, server: UUID, known: SignInView, back: str) -> Action[Any]:
    """How Joule becomes the issuer's client. Raises `McpNoRegistration` when only an admin can see to it."""
    way = _way(known, back)
    if way == "document":
        url = _document_url(back, known.provider)
        return SetProviderClient(principal=person.principal, provider=known.provider, client_id=url)
    if way == "registration":
        return RegisterMcpClient(principal=person.principal, server=server, redirect_uri=back)
    raise McpNoRegistration(urlsplit(known.issuer).netloc)


def _way(known: SignInView, back: str) -> str:
    if known.takes_documents and back.startswith("https://"):
        return "document"
    return "registration" if known.registers else ""


def _document_url(back: str, provider: str) -> str:
    return f"{back.removesuffix(f'/callback/{provider}')}/clients/{provider}.json"


async def _known(web: Web, person: SignedInPerson, server: UUID) -> tuple[McpServerView, SignInView]:
    """Raises `NotFound`, also for a server that asks nobody to sign in."""
    async with web.house.database.read(person.org) as session:
        every = await queries.servers(session, web.house.vault, person.org)
    found = next((each for each in every if each.server == server), None)
    if found is None or found.sign_in is None:
        raise NotFound("MCP server")
    return found, found.sign_in


async def _page(
    web: Web,
    request: Request,
    person: SignedInPerson,
    server: UUID,
    more: tuple[str, ...],
    task: str,
    return_to: str,
    *,
    error: JouleError | None = None,
) -> Response:
    found, known = await _known(web, person, server)
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/integrations")
    back = redirect_uri(web, request, known.provider)
    shown = McpSignInPage(
        href=f"{_LIST}/servers/{server}",
        back=_LIST,
        title=found.title,
        url=found.url,
        issuer=known.issuer,
        at=urlsplit(known.issuer).netloc,
        resource=known.resource,
        asks_for=known.asks_for,
        more=tuple(each for each in more if each not in known.asks_for),
        hidden=tuple(
            (name, value)
            for name, value in (*(("scope", each) for each in more), ("task", task), ("return_to", return_to))
            if value
        ),
        client_id=known.client_id,
        redirect_uri=back,
        way=_way(known, back),
    )
    return web.templates.page(
        "integrations/mcp_sign_in.html",
        errors.status_of(error) if error else 200,
        shell=shell,
        page=shown,
        message=errors.sentence(str(error)) if error else "",
        advice=error.advice() if error else "",
        kind="no",
    )
