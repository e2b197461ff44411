"""What the admin page may read of MCP servers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations import queries as connections
from integrations.mcp import store
from integrations.mcp.listed import canonical
from integrations.mcp.sign_in import SignIn, provider_id, server_of
from integrations.queries import ConnectionView
from integrations.tables import ConnectionRow
from joule.kernel.ids import OrgId
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class McpToolView:
    """A tool as a person reads it before switching it on. `pin` is in hexadecimal."""

    tool: UUID
    name: str
    title: str
    description: str
    schema: str
    reads_only: bool
    state: str
    changed: bool
    present: bool
    pin: str
    differences: tuple["Difference", ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a changed tool said when a person last read it, and what it says now. `what`: title, description, …"""

    what: str
    before: str
    now: str


@dataclass(frozen=True, kw_only=True)
class SignInView:
    """How a server that wants to be signed in to does. No token is anywhere near.

    `provider` is the server among providers. `client_id`: who Joule is at the issuer, "" for nobody yet. `connection` is
    the latest sign-in, living or ended; None: there was none. `status` is "" without one.
    """

    provider: str
    issuer: str
    resource: str
    asks_for: tuple[str, ...]
    client_id: str
    registers: bool
    takes_documents: bool
    connection: ConnectionView | None

    @property
    def works(self) -> bool:
        """Whether somebody is signed in, and was not found out to be so no more."""
        return self.connection is not None and self.connection.status in {"active", "refresh_unknown"}


@dataclass(frozen=True, kw_only=True)
class McpServerView:
    """A server and its tools. `sign_in` None: it asks nobody who they are."""

    server: UUID
    url: str
    title: str
    looked_at: datetime
    tools: Sequence[McpToolView]
    sign_in: SignInView | None = None

    @property
    def needs_sign_in(self) -> bool:
        """Whether nothing works before somebody signs in."""
        return self.sign_in is not None and not self.sign_in.works


async def servers(session: AsyncSession, vault: Vault, org: OrgId) -> list[McpServerView]:
    """All of the organisation's servers."""
    ring = await vault.keyring(session, org)
    tools = await store.tools(session, ring)
    return [
        McpServerView(
            server=each.server,
            url=each.url,
            title=each.title,
            looked_at=each.looked_at,
            tools=[_tool(one) for one in tools if one.server == each.server],
            sign_in=None if each.sign_in is None else await _sign_in(session, vault, org, each.server, each.sign_in),
        )
        for each in await store.servers(session, ring)
    ]


async def of_connection(session: AsyncSession, org: OrgId, connection: UUID) -> UUID | None:
    """The server that a connection signs in to; None for an account of the catalogue's, or none at all."""
    row = await session.get(ConnectionRow, (org, connection))
    return None if row is None else server_of(row.provider)


async def _sign_in(session: AsyncSession, vault: Vault, org: OrgId, server: UUID, known: SignIn) -> SignInView:
    name = provider_id(server)
    found = await connections.of_provider(session, vault, org, name)
    client = await connections.client(session, vault, org, name)
    return SignInView(
        provider=name,
        issuer=known.issuer,
        resource=known.resource,
        asks_for=known.scopes,
        client_id="" if client is None else client.client_id,
        registers=known.metadata.registration_endpoint is not None,
        takes_documents=known.metadata.takes_client_documents,
        connection=found[0] if found else None,
    )


def _tool(kept: store.KeptTool) -> McpToolView:
    return McpToolView(
        tool=kept.tool,
        name=kept.listed.name,
        title=kept.listed.title,
        description=kept.listed.description,
        schema=canonical(kept.listed.schema),
        reads_only=kept.listed.reads_only,
        state=kept.state,
        changed=kept.changed,
        present=kept.present,
        pin=kept.pin.hex(),
        differences=_differences(kept),
    )


def _differences(kept: store.KeptTool) -> tuple[Difference, ...]:
    if kept.former is None:
        return ()
    was, now = kept.former, kept.listed
    pairs = (
        ("title", was.title, now.title),
        ("description", was.description, now.description),
        ("arguments", canonical(was.schema), canonical(now.schema)),
        ("hints", canonical(was.hints), canonical(now.hints)),
    )
    return tuple(Difference(what=what, before=before, now=after) for what, before, after in pairs if before != after)
