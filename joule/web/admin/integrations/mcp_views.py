"""What the pages of MCP servers show. Nothing here holds a token."""

from dataclasses import dataclass
from datetime import datetime

from integrations.mcp.queries import Difference


@dataclass(frozen=True, kw_only=True)
class McpToolLine:
    """A tool of an MCP server, as a person reads it before switching it on. `differences`: how it changed since."""

    id: str
    name: str
    title: str
    description: str
    schema: str
    reads_only: bool
    state: str
    words: str
    tone: str
    changed: bool
    present: bool
    pin: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True)
class SignInLine:
    """Who signs people in to a server, and how that stands. `receipt_href` is "" until there is a receipt."""

    href: str
    word: str
    tone: str
    advice: str
    at: str
    works: bool
    is_in: bool
    by: str
    facts: tuple[tuple[str, str], ...]
    told: str
    receipt_href: str


@dataclass(frozen=True, kw_only=True)
class McpServerLine:
    """An MCP server and its tools. `sign_in` None: it asks nobody who they are."""

    id: str
    title: str
    url: str
    looked_at: datetime
    told: str
    tools: tuple[McpToolLine, ...]
    sign_in: SignInLine | None


@dataclass(frozen=True, kw_only=True)
class McpSignInPage:
    """The page on which signing in to a server begins. `way`: how Joule becomes known to the issuer, "" when an admin must."""

    href: str
    back: str
    title: str
    url: str
    issuer: str
    at: str
    resource: str
    asks_for: tuple[str, ...]
    more: tuple[str, ...]
    hidden: tuple[tuple[str, str], ...]
    client_id: str
    redirect_uri: str
    way: str
