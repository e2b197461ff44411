"""`joule integrations mcp`: servers, and the tools of theirs that people have read and switched on. No token is ever printed."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from joule.cli._installation import opened, read_settings
from joule.cli._output import Output, reporting, table
from joule.kernel.errors import NotFound

if TYPE_CHECKING:
    from integrations.mcp.queries import McpServerView, McpToolView
    from joule.assembly import House
    from joule.kernel.principal import Principal

_WORDS = {"off": "off", "ask": "on, asks each time", "allow": "on, without asking"}


@click.group("mcp")
def command() -> None:
    """See, add and remove MCP servers, and switch their tools."""


@command.command("list")
@reporting
async def list_servers(output: Output) -> None:
    """List the servers, and whether somebody is signed in where that is needed."""
    async with opened() as (house, person):
        found = await _servers(house, person)
    told = [_told(each) for each in found]
    rows = [(each["server"], each["title"], each["address"], each["sign_in"], each["tools"]) for each in told]
    output.result({"servers": told}, lambda: table(("server", "title", "address", "sign-in", "tools on"), rows))


@command.command("add")
@click.argument("url")
@click.option("--title", required=True, help="What people call it.")
@click.option("--open-confirmed", is_flag=True, help="You know who runs it, and that it asks nobody who they are.")
@reporting
async def add(output: Output, url: str, title: str, open_confirmed: bool) -> None:
    """Add the server at URL. Its tools are off until somebody has read them.

    One that wants to be signed in to says so: consent is given in a browser, on the page this prints.
    """
    from integrations.mcp.actions import AddMcpServer

    async with opened() as (house, person):
        made = await house.commands.perform(
            AddMcpServer(principal=person, url=url, title=title, open_confirmed=open_confirmed)
        )
    page = f"{_address()}/admin/integrations/mcp/servers/{made.server}/sign-in" if made.needs_sign_in else ""
    told = {"server": made.server, "tools": made.tools, "needs_sign_in": made.needs_sign_in, "open": page or None}
    words = f"Added as {made.server}, with {made.tools} tools, all of them off."
    if page:
        words = f"Added as {made.server}. Sign in in the browser you use Joule with:\n\n  {page}"
    output.result(told, words)


@command.command("tools")
@click.argument("server", type=click.UUID)
@click.option("--ask", "ask_again", is_flag=True, help="Ask the server first: what changed is off again.")
@reporting
async def tools(output: Output, server: UUID, ask_again: bool) -> None:
    """Show all that the tools of SERVER say of themselves, and what changed about them since they were read."""
    from integrations.mcp.actions import RefreshMcpTools

    async with opened() as (house, person):
        if ask_again:
            await house.commands.perform(RefreshMcpTools(principal=person, server=server))
        found = next((each for each in await _servers(house, person) if each.server == server), None)
    if found is None:
        raise NotFound("MCP server")
    told = [_tool(each) for each in found.tools]

    def human() -> str:
        return "\n\n".join(_shown(each) for each in found.tools) or "It offers no tool."

    output.result({"server": server, "title": found.title, "tools": told}, human)


@command.command("allow")
@click.argument("tool", type=click.UUID)
@click.option(
    "--as",
    "state",
    type=click.Choice(["ask", "allow", "off"]),
    default="ask",
    show_default=True,
    help="ask: a person agrees to each call; allow: without asking, only for a tool that reads; off: not at all.",
)
@click.option("--pin", required=True, help="The SHA-256 that `tools` showed: what you have read is what you switch on.")
@reporting
async def allow(output: Output, tool: UUID, state: str, pin: str) -> None:
    """Switch TOOL on as it was read, or off."""
    from integrations.mcp.actions import SetMcpTool

    async with opened() as (house, person):
        done = await house.commands.perform(SetMcpTool(principal=person, tool=tool, pin=pin, state=state))
    output.result(done, f"The tool is {_WORDS[done.state]} now.")


@command.command("remove")
@click.argument("server", type=click.UUID)
@reporting
async def remove(output: Output, server: UUID) -> None:
    """Forget SERVER and its tools; whoever is signed in to it is signed out, and its issuer told by the workers."""
    from integrations.mcp.actions import RemoveMcpServer

    async with opened() as (house, person):
        done = await house.commands.perform(RemoveMcpServer(principal=person, server=server))
    output.result(done, "The server is removed. Its tools are gone for every task at once.")


async def _servers(house: "House", person: "Principal") -> "list[McpServerView]":
    from integrations.mcp import queries

    async with house.database.read(person.org) as session:
        return await queries.servers(session, house.vault, person.org)


def _address() -> str:
    web = read_settings().web
    return (web.base_url or f"http://{web.host}:{web.port}").rstrip("/")


def _told(server: "McpServerView") -> dict[str, object]:
    on = sum(each.state != "off" for each in server.tools)
    sign_in = "not needed" if server.sign_in is None else "needed" if server.needs_sign_in else "signed in"
    return {
        "server": server.server,
        "title": server.title,
        "address": server.url,
        "issuer": None if server.sign_in is None else server.sign_in.issuer,
        "sign_in": sign_in,
        "looked_at": server.looked_at,
        "tools": f"{on} of {sum(each.present for each in server.tools)}",
    }


def _tool(tool: "McpToolView") -> dict[str, object]:
    return {
        "tool": tool.tool,
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "arguments": tool.schema,
        "reads_only": tool.reads_only,
        "state": tool.state,
        "present": tool.present,
        "changed": tool.changed,
        "changes": [{"what": each.what, "before": each.before, "now": each.now} for each in tool.differences],
        "pin": tool.pin,
    }


def _shown(tool: "McpToolView") -> str:
    state = "gone" if not tool.present else "changed, off" if tool.changed else _WORDS[tool.state]
    lines = [f"{tool.name} ({state})", f"  id         {tool.tool}", f"  pin        {tool.pin}"]
    lines += [f"  says       {_printable(tool.description) or 'nothing'}", f"  arguments  {tool.schema}"]
    lines += [f"  {each.what} was {each.before!r}, is now {each.now!r}" for each in tool.differences]
    return "\n".join(lines)


def _printable(text: str) -> str:
    """A stranger's words without what would move the cursor or change colours."""
    return "".join(each if each.isprintable() else " " for each in text)
