"""What the actions of MCP servers give back."""

from dataclasses import dataclass
from uuid import UUID

from joule.kernel.label import Label


@dataclass(frozen=True, kw_only=True)
class McpToolsSeen:
    """A server after it was asked for its tools: how many there are, and how many changed or went since.

    `needs_sign_in`: it takes nobody without a token, so nothing is known of its tools until somebody has signed in.
    """

    server: UUID
    tools: int
    changed: int
    gone: int
    needs_sign_in: bool = False


@dataclass(frozen=True, kw_only=True)
class McpToolSet:
    """A tool that is now as asked."""

    tool: UUID
    state: str


@dataclass(frozen=True, kw_only=True)
class McpServerRemoved:
    """A server that is forgotten, with its tools."""

    server: UUID


@dataclass(frozen=True, kw_only=True)
class OfferedMcpTool:
    """A tool that is switched on. `pin` is what was read when it was; `schema` is its JSON schema, as JSON text."""

    server: UUID
    server_title: str
    tool: UUID
    name: str
    description: str
    schema: str
    pin: str
    asks: bool


@dataclass(frozen=True, kw_only=True)
class McpOffer:
    """The tools that are switched on."""

    tools: tuple[OfferedMcpTool, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class McpAnswer:
    """What a server said, cut to a length. Data, never instructions. `failed`: it says the tool did not succeed."""

    text: str
    failed: bool
    cut: bool
    label: Label
