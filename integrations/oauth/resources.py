"""Reads what a protected resource says about itself (RFC 9728), and writes what Joule says about itself as a client.

An MCP server names its authorization servers in a document whose `resource` must be exactly the address that was asked:
otherwise a token for one server could be fetched for, and shown to, another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from integrations.catalogue.model import Provider
from integrations.oauth.discovery import published
from integrations.oauth.errors import ABSENT, DiscoveryRefused, HostRefused
from integrations.oauth.hosts import checked_url
from integrations.oauth.sending import HttpPolicy
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid

MOST_SERVERS = 10


@dataclass(frozen=True, kw_only=True)
class ProtectedResource:
    """A resource, the issuers it takes tokens from, and the scopes it knows."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...] = ()


async def protected_resource(
    provider: Provider, resource: str, *, http: HttpPolicy, clock: Clock, at: str | None = None
) -> ProtectedResource:
    """The metadata of `resource`, one of `provider`'s addresses; `at` is where the resource itself says they are.

    Raises DiscoveryRefused, also when `at` is on another host, or what the wire raises.
    """
    asked = checked_url(provider, resource, published=True)
    parts = urlsplit(asked)
    path = parts.path.rstrip("/")
    url = urlunsplit((parts.scheme, parts.netloc, f"/.well-known/oauth-protected-resource{path}", parts.query, ""))
    if at is not None:
        try:
            url = checked_url(provider, at, published=True)
        except HostRefused:
            raise DiscoveryRefused(provider.title, reason="they are said to be on another host") from None
    answer = await published(provider.title, url, http=http, clock=clock)
    if answer.status != 200 or answer.body is None:
        raise DiscoveryRefused(provider.title, reason=ABSENT)
    return read_resource(provider, resource, answer.body)


def read_resource(provider: Provider, resource: str, body: Mapping[str, Any]) -> ProtectedResource:
    """The metadata in a document, if it is about exactly this resource and names issuers by https."""
    if body.get("resource") != resource:
        raise DiscoveryRefused(provider.title, reason="they belong to another resource")
    servers, scopes = body.get("authorization_servers"), body.get("scopes_supported")
    if not isinstance(servers, list) or not 0 < len(servers) <= MOST_SERVERS:
        raise DiscoveryRefused(provider.title, reason="no authorization server is named")
    try:
        named = tuple(checked_url(provider, one if isinstance(one, str) else None) for one in servers)
    except HostRefused as refused:
        raise DiscoveryRefused(provider.title, reason=f"authorization_servers: {refused.reason}") from None
    texts = tuple(one for one in scopes if isinstance(one, str)) if isinstance(scopes, list) else ()
    return ProtectedResource(resource=resource, authorization_servers=named, scopes=texts)


def client_document(url: str, *, name: str, redirect_uris: tuple[str, ...]) -> dict[str, object]:
    """Joule as a client whose id is the address of this very document (client ID metadata document).

    To be served at `url`, as JSON, to anybody. Public client: it proves itself by PKCE and its redirect addresses.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path in ("", "/") or "#" in url or "@" in parts.netloc:
        raise Invalid(
            "a client document needs an https address with a path",
            advice="Set Joule's public address to the https address people reach it at.",
        )
    return {
        "client_id": url,
        "client_name": name,
        "redirect_uris": list(redirect_uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
