"""What the tables of this room are built from: kinds of columns, their checks, and the fields that sealed values are bound to."""

from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlmodel import Field

from joule.database.keeping import Ends, Keeping, Owner

_TIME: Any = DateTime(timezone=True)
WORDS: Any = ARRAY(Text)

# The fields a sealed value is bound to.
CLIENT_ID, CLIENT_SECRET, NEXT_SECRET = "provider_client.client_id", "provider_client.client_secret", "provider_client.next_secret"  # fmt: skip
VERIFIER, REDIRECT, TENANT, RETURN_TO = "pending_authorization.verifier", "pending_authorization.redirect", "pending_authorization.tenant", "pending_authorization.return_to"  # fmt: skip
TOKENS, ACCOUNT, GRANT_TENANT = "oauth_grant.tokens", "oauth_grant.account", "oauth_grant.tenant"
REVOKED_TOKENS, RECEIPT = "revocation.tokens", "revocation.receipt"
SERVER_URL, SERVER_TITLE, SERVER_SIGN_IN = "mcp_server.url", "mcp_server.title", "mcp_server.sign_in"
TOOL_NAME, TOOL_ABOUT = "mcp_tool.name", "mcp_tool.about"
SIGNING_KEY = "receipt_key.private"
PINNED = "issuer_pin.found"


def time(*, optional: bool = False) -> Any:
    options: Any = _empty(optional)
    return Field(sa_type=_TIME, **options)


def sealed(*, optional: bool = False) -> Any:
    options: Any = _empty(optional)
    return Field(sa_type=BYTEA, repr=False, **options)


def _empty(optional: bool) -> dict[str, Any]:
    return {"default": None, "nullable": True} if optional else {}


def one_of(column: str, *words: str) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def id_words(table: str, column: str = "provider") -> CheckConstraint:
    return CheckConstraint(f"{column} ~ '^[a-z][a-z0-9_]{{0,60}}$'", name=f"{table}_{column}")


def scope_words(table: str, *columns: str) -> tuple[CheckConstraint, ...]:
    """Scopes are single words of printable ASCII; nothing a person typed."""
    return tuple(
        CheckConstraint(f"array_to_string({each}, ' ') ~ '^[!-~ ]*$'", name=f"{table}_{each}") for each in columns
    )


def keeping(*, holds: str, ends: Ends, eraser: str, owner: Owner = Owner.ORGANISATION) -> dict[str, Any]:
    return {"info": {"keeping": Keeping(holds=holds, owner=owner, ends=ends, eraser=eraser)}}
