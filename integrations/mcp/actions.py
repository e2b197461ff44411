"""All that can be done with MCP servers.

What speaks with a server is an outside effect, but for one: a tool that its server says only reads, and that an admin
has let be used without asking, is a read. All others are sent, and a person agrees to each call.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from integrations.mcp.results import McpAnswer, McpOffer, McpServerRemoved, McpToolSet, McpToolsSeen
from integrations.results import ClientSet
from joule.kernel.action import Action, Effect
from joule.kernel.label import Purpose

OFF, ASK, ALLOW = "off", "ask", "allow"
STATES = (OFF, ASK, ALLOW)


@dataclass(frozen=True, kw_only=True)
class AddMcpServer(Action[McpToolsSeen]):
    """Add a server by its address. Its tools arrive switched off; those of one that wants to be signed in to, after that.

    `open_confirmed`: it may answer anybody.
    """

    name: ClassVar[str] = "integrations.add_mcp_server"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    url: str
    title: str
    open_confirmed: bool = False


@dataclass(frozen=True, kw_only=True)
class RefreshMcpTools(Action[McpToolsSeen]):
    """Ask a server for its tools again. New ones arrive off; one that changed is off again."""

    name: ClassVar[str] = "integrations.refresh_mcp_tools"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    server: UUID


@dataclass(frozen=True, kw_only=True)
class RegisterMcpClient(Action[ClientSet]):
    """Have the issuer of a server make Joule one of its clients (RFC 7591), where it takes anybody."""

    name: ClassVar[str] = "integrations.register_mcp_client"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    server: UUID
    redirect_uri: str


@dataclass(frozen=True, kw_only=True)
class SetMcpTool(Action[McpToolSet]):
    """Switch a tool `off`, on for calls a person agrees to (`ask`), or on without asking (`allow`: only what reads).

    `pin` is the hash of what the person has read: should the tool be another by now, nothing is switched.
    """

    name: ClassVar[str] = "integrations.set_mcp_tool"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    tool: UUID
    pin: str
    state: str


@dataclass(frozen=True, kw_only=True)
class RemoveMcpServer(Action[McpServerRemoved]):
    """Forget a server and its tools: the next call is refused. Who is signed in to it is signed out."""

    name: ClassVar[str] = "integrations.remove_mcp_server"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    server: UUID


@dataclass(frozen=True, kw_only=True)
class DescribeMcpTools(Action[McpOffer]):
    """Say which tools of MCP servers are switched on."""

    name: ClassVar[str] = "integrations.describe_mcp_tools"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class McpCall(Action[McpAnswer]):
    """Call a tool as it was when `pin` was made. `inputs` is the JSON object of its arguments."""

    server: UUID
    tool: UUID
    pin: str
    inputs: str

    def relevant(self) -> Mapping[str, str]:
        """Server, tool and every argument: nobody knows which of a stranger's arguments is a destination."""
        return {"server": str(self.server), "tool": str(self.tool), **_texts(self.inputs)}


@dataclass(frozen=True, kw_only=True)
class ReadWithMcpTool(McpCall):
    """A tool that only reads, by what its server says and what an admin allowed."""

    name: ClassVar[str] = "integrations.read_with_mcp_tool"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class CallMcpTool(McpCall):
    """Any other tool: what it does, its server alone knows."""

    name: ClassVar[str] = "integrations.call_mcp_tool"
    effect: ClassVar[Effect] = Effect.SEND


def _texts(inputs: str) -> dict[str, str]:
    try:
        given = json.loads(inputs)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return {"inputs": inputs}
    return {
        f"argument {name}": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        for name, value in given.items()
    }
