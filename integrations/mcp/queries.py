"""What the admin page may read of MCP servers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.mcp import store
from integrations.mcp.listed import canonical
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


@dataclass(frozen=True, kw_only=True)
class McpServerView:
    """A server and its tools."""

    server: UUID
    url: str
    title: str
    looked_at: datetime
    tools: Sequence[McpToolView]


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
        )
        for each in await store.servers(session, ring)
    ]


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
    )
