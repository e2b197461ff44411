"""What a server that wants to be signed in to has published, and the server as the OAuth wire knows providers. Pure.

Each server is a provider of its own, `mcp_<id>`: its own way back for the browser, its own client, its own tokens. A token
is asked for by the server's own name (RFC 8707) and goes to that server alone.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from integrations.catalogue.model import Provider, Refresh, Revocation
from integrations.mcp.addresses import Address
from integrations.oauth.discovery import ServerMetadata

PREFIX = "mcp_"
MOST_SCOPES = 50
_ID = re.compile(r"mcp_([0-9a-f]{32})")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,200}")  # RFC 6749 §3.3


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """Who signs people in to a server, for which resource, and what to ask for. `metadata` is the issuer's, pinned."""

    resource: str
    metadata: ServerMetadata
    scopes: tuple[str, ...] = ()

    @property
    def issuer(self) -> str:
        return self.metadata.issuer

    def plaintext(self) -> str:
        """As it is sealed."""
        told = {"resource": self.resource, "metadata": self.metadata.plain(), "scopes": list(self.scopes)}
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def from_plaintext(cls, text: str) -> "SignIn":
        """What `text` was made from."""
        kept = json.loads(text)
        return cls(
            resource=kept["resource"],
            metadata=ServerMetadata.from_plain(kept["metadata"]),
            scopes=tuple(kept["scopes"]),
        )


def provider_id(server: UUID) -> str:
    """The server among providers."""
    return f"{PREFIX}{server.hex}"


def server_of(provider: str) -> UUID | None:
    """Which server a provider's id means; None for the catalogue's."""
    found = _ID.fullmatch(provider)
    return None if found is None else UUID(found[1])


def scopes_in(words: Iterable[object]) -> tuple[str, ...]:
    """Those of `words` that can be scopes, each once; a stranger's others are left out."""
    named = [each for each in words if isinstance(each, str) and _SCOPE.fullmatch(each)]
    return tuple(dict.fromkeys(named))[:MOST_SCOPES]


def as_provider(
    provider: str,
    server: Address,
    *,
    issuer: str | None = None,
    token_auth: Literal["client_secret_basic", "client_secret_post", "none"] = "none",  # noqa: S107 - a way's name
) -> Provider:
    """The server, or the issuer that signs people in to it, as the wire knows providers: one host, and no other."""
    at = server.url if issuer is None else issuer
    return Provider(
        id=provider,
        title=server.title,
        group="MCP",
        family=provider,
        what_it_is="An MCP server",
        authorization_url=None,
        token_url=None,
        revocation=Revocation(kind="none"),
        refresh=Refresh(kind="rotating"),
        pkce="required",
        scopes={},
        hosts=(urlsplit(at).netloc,),
        splits_read_from_write=False,
        token_life_words="",
        settings_url="",
        settings_words="",
        registers_at="",
        registers_words="",
        could={},
        issuer=issuer,
        token_auth=token_auth,
        demo=server.is_loopback,
    )
