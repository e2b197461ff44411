"""MCP servers: added by address, their tools read and switched on one by one."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from integrations.mcp import queries
from integrations.mcp.actions import AddMcpServer, RefreshMcpTools, RemoveMcpServer, SetMcpTool
from integrations.mcp.queries import McpServerView
from integrations.mcp.results import McpToolsSeen
from integrations.queries import ConnectionView
from joule.identity.queries import SignedInPerson
from joule.kernel.action import Action
from joule.kernel.errors import JouleError
from joule.kernel.ids import PersonId
from joule.web import errors
from joule.web.access import Connector, Here
from joule.web.admin.integrations import showing
from joule.web.admin.integrations.mcp_views import McpServerLine, McpToolLine, SignInLine
from joule.web.context import Web
from joule.web.rendering import moment
from joule.web.shell import shell_of
from joule.web.wording import counted

router = APIRouter(prefix="/admin/integrations/mcp")

_HERE = "/admin/integrations/mcp"
_DONE = {
    "added": "The server was added. Its tools are off until you switch them on.",
    "looked": "The server was asked again.",
    "set": "The tool was switched.",
    "removed": "The server was removed.",
    "wants": "This server wants to be signed in to before it says anything of its tools.",
    "in": "You are signed in. Its tools are off until you switch them on.",
    "silent": "You are signed in, but the server did not say which tools it has. Ask again.",
    "out": "Signed out. Every worker refuses to use it.",
}
_STATES = {"off": ("Off", ""), "ask": ("On, asks each time", "ok"), "allow": ("On, without asking", "ask")}


@router.get("")
async def page(web: Here, person: Connector, done: str = "") -> Response:
    """The servers, and all that each tool says of itself."""
    return await _page(web, person, message=_DONE.get(done, ""))


@router.post("")
async def add(
    web: Here,
    person: Connector,
    url: Annotated[str, Form()],
    title: Annotated[str, Form()],
    confirmed: Annotated[str, Form()] = "",
) -> Response:
    """Adds a server."""
    action = AddMcpServer(principal=person.principal, url=url, title=title, open_confirmed=confirmed == "yes")
    return await _done(web, person, action, "added", url=url, title=title)


@router.post("/servers/{server}/refresh")
async def refresh(web: Here, person: Connector, server: UUID) -> Response:
    """Asks a server for its tools again."""
    return await _done(web, person, RefreshMcpTools(principal=person.principal, server=server), "looked")


@router.post("/servers/{server}/remove")
async def remove(web: Here, person: Connector, server: UUID) -> Response:
    """Forgets a server: its tools are gone for every task at once."""
    return await _done(web, person, RemoveMcpServer(principal=person.principal, server=server), "removed")


@router.post("/tools/{tool}")
async def switch(
    web: Here, person: Connector, tool: UUID, pin: Annotated[str, Form()], state: Annotated[str, Form()]
) -> Response:
    """Switches a tool. `pin` is that of what stood on the page."""
    return await _done(web, person, SetMcpTool(principal=person.principal, tool=tool, pin=pin, state=state), "set")


async def _done(
    web: Web, person: SignedInPerson, action: Action[Any], word: str, *, url: str = "", title: str = ""
) -> Response:
    try:
        found = await web.house.commands.perform(action)
    except JouleError as error:
        return await _page(web, person, error=error, url=url[:500], title=title[:60])
    if isinstance(found, McpToolsSeen) and found.needs_sign_in:
        return RedirectResponse(f"{_HERE}?done=wants", status_code=303)
    return RedirectResponse(f"{_HERE}?done={word}", status_code=303)


async def _page(
    web: Web,
    person: SignedInPerson,
    *,
    message: str = "",
    error: JouleError | None = None,
    url: str = "",
    title: str = "",
) -> Response:
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/integrations")
        found = await queries.servers(session, web.house.vault, person.org)
        names = await showing.names_of(web, session, person.org)
    return web.templates.page(
        "integrations/mcp.html",
        errors.status_of(error) if error else 200,
        shell=shell,
        servers=[_line(each, names) for each in found],
        url=url,
        title=title,
        message=errors.sentence(str(error)) if error else message,
        advice=error.advice() if error else "",
        kind="no" if error else "ok",
    )


def _sign_in(server: McpServerView, names: Mapping[PersonId, str]) -> SignInLine | None:
    known = server.sign_in
    if known is None:
        return None
    view = known.connection
    word, tone = "Needs sign-in", "no"
    advice = "Its tools do not work until then." if server.tools else "Nothing is known of its tools until then."
    if known.works and view is not None:
        word, tone, advice = "Signed in", "ok", ""
    elif view is not None and not view.is_over:
        advice = "It takes the token no more that was given to it: somebody has to sign in again."
    facts = [("Signed in by", known.issuer), ("Tokens are good for", f"{known.resource} and nothing else")]
    if view is not None and not view.is_over:
        facts += [
            ("By", f"{names.get(view.connected_by, 'somebody who is gone')}, {moment(view.connected_at)}"),
            ("Granted", ", ".join(view.granted) or "What its issuer gives everybody"),
            ("Last used", moment(view.used_at) if view.used_at else "Not yet"),
            ("Next expiry", moment(view.expires_at) if view.expires_at else "Its issuer does not say"),
        ]
    ended = view is not None and view.is_over
    return SignInLine(
        href=f"{_HERE}/servers/{server.server}",
        word=word,
        tone=tone,
        advice=advice,
        at=urlsplit(known.issuer).netloc,
        works=known.works,
        is_in=view is not None and not view.is_over,
        by="" if view is None else names.get(view.connected_by, "somebody who is gone"),
        facts=tuple(facts),
        told=_told(view) if view is not None and ended else "",
        receipt_href=f"/admin/connections/{view.connection}/receipt"
        if view is not None and ended and view.has_receipt
        else "",
    )


def _told(view: ConnectionView) -> str:
    if view.telling == "pending":
        return "Signed out. Its issuer is being told."
    ends = ", ".join(f"{each.token.lower()}: {each.outcome.lower()}" for each in showing.tokens(view))
    return f"Signed out. At its issuer – {ends}." if ends else "Signed out."


def _line(server: McpServerView, names: Mapping[PersonId, str]) -> McpServerLine:
    return McpServerLine(
        id=str(server.server),
        title=server.title,
        url=server.url,
        looked_at=server.looked_at,
        told=counted(sum(each.present for each in server.tools), "tool"),
        sign_in=_sign_in(server, names),
        tools=tuple(
            McpToolLine(
                id=str(each.tool),
                name=each.name,
                title=each.title,
                description=each.description,
                schema=each.schema,
                reads_only=each.reads_only,
                state=each.state,
                words=_STATES[each.state][0] if each.present else "Gone",
                tone=_STATES[each.state][1],
                changed=each.changed,
                present=each.present,
                pin=each.pin,
                differences=each.differences,
            )
            for each in server.tools
        ),
    )
