"""Fetches what an authorization server publishes about itself (RFC 8414) and believes it only where it agrees with us.

https, the issuer identical to the one asked, endpoints only on hosts the catalogue knows, no redirects. What was seen first
is pinned: an endpoint that has moved since, or a protection that has gone, is refused. New ones may come.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx2

from integrations.catalogue.model import Provider
from integrations.oauth.errors import CHANGED, DiscoveryRefused, HostRefused
from integrations.oauth.hosts import checked_url
from integrations.oauth.sending import Answer, HttpPolicy, ask, client_settings
from joule.kernel.clock import Clock

LARGEST = 64 * 1024
KEPT = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class ServerMetadata:
    """What is used of an authorization server's metadata."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    introspection_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    registration_endpoint: str | None = None
    requires_pushed_requests: bool = False
    names_itself_in_callback: bool = False
    pkce_methods: tuple[str, ...] = ()
    takes_client_documents: bool = False
    secret_goes: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"  # noqa: S105 - a way's name
    takes_public_clients: bool = False
    knows_offline: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON-able members, for pinning."""
        return {**asdict(self), "pkce_methods": list(self.pkce_methods)}

    @classmethod
    def from_plain(cls, kept: Mapping[str, Any]) -> "ServerMetadata":
        """The metadata that `kept` was made from."""
        known = {field.name for field in fields(cls)}
        return cls(**{**{k: v for k, v in kept.items() if k in known}, "pkce_methods": tuple(kept["pkce_methods"])})


class Discovery:
    """Metadata of providers, cached for an hour and pinned to what was first seen."""

    def __init__(self, *, http: HttpPolicy, clock: Clock) -> None:
        self._http, self._clock = http, clock
        self._kept: dict[str, tuple[datetime, ServerMetadata]] = {}

    async def of(self, provider: Provider, *, pinned: ServerMetadata | None = None) -> ServerMetadata:
        """The provider's metadata. `pinned` is what was stored earlier; a process remembers its own first sight anyway.

        Raises DiscoveryRefused when it contradicts the catalogue or the pin, ProviderBusy when it cannot be had.
        """
        if provider.issuer is None:
            raise DiscoveryRefused(provider.title, reason="it has no published settings")
        held = self._kept.get(provider.issuer)
        now = self._clock.now()
        if held is not None and now - held[0] < KEPT and (pinned is None or not weakened(pinned, held[1])):
            return held[1]
        fresh = read_metadata(provider, (await self._fetched(provider)).body or {})
        known = pinned or (held[1] if held is not None else None)
        if known is not None and weakened(known, fresh):
            raise DiscoveryRefused(provider.title, reason=CHANGED)
        self._kept[provider.issuer] = (now, fresh)
        return fresh

    async def _fetched(self, provider: Provider) -> Answer:
        for url in well_known(checked_url(provider, provider.issuer)):
            answer = await published(provider.title, checked_url(provider, url), http=self._http, clock=self._clock)
            if answer.status == 200 and answer.body is not None:
                return answer
        raise DiscoveryRefused(provider.title, reason="they are not where they should be")


def weakened(known: ServerMetadata, fresh: ServerMetadata) -> bool:
    """True if an endpoint has moved or gone, or a protection there was is there no more."""
    moved = any(
        (was := getattr(known, field.name)) is not None and getattr(fresh, field.name) != was
        for field in fields(ServerMetadata)
        if field.name == "issuer" or field.name.endswith("_endpoint")
    )
    dropped = (
        ("S256" in known.pkce_methods and "S256" not in fresh.pkce_methods)
        or (known.names_itself_in_callback and not fresh.names_itself_in_callback)
        or (known.requires_pushed_requests and not fresh.requires_pushed_requests)
    )
    return moved or dropped


def well_known(issuer: str) -> tuple[str, str]:
    """Where metadata may be: by RFC 8414 (inserted before the path) and by OpenID Connect (appended)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    inserted = urlunsplit((parts.scheme, parts.netloc, f"/.well-known/oauth-authorization-server{path}", "", ""))
    appended = urlunsplit((parts.scheme, parts.netloc, f"{path}/.well-known/openid-configuration", "", ""))
    return inserted, appended


async def published(title: str, url: str, *, http: HttpPolicy, clock: Clock) -> Answer:
    """One GET of a published JSON document, up to 64 KB, without credentials."""
    policy = HttpPolicy(deadline_seconds=http.deadline_seconds, max_bytes=LARGEST, transport=http.transport)
    async with httpx2.AsyncClient(**client_settings(policy)) as client:
        return await ask(client, provider=title, policy=policy, clock=clock, method="GET", url=url)


def read_metadata(provider: Provider, body: Mapping[str, Any]) -> ServerMetadata:
    """The metadata in a document, if its issuer is exactly the one asked and every endpoint is on a known host."""

    def endpoint(name: str, *, needed: bool = False) -> str | None:
        url = body.get(name)
        if url is None and not needed:
            return None
        try:
            return checked_url(provider, url if isinstance(url, str) else None, published=True)
        except HostRefused as refused:
            raise DiscoveryRefused(provider.title, reason=f"{name}: {refused.reason}") from None

    if body.get("issuer") != provider.issuer or provider.issuer is None:
        raise DiscoveryRefused(provider.title, reason="they belong to another issuer")
    methods = _words(body.get("code_challenge_methods_supported"))
    ways = _words(body.get("token_endpoint_auth_methods_supported")) or ("client_secret_basic",)
    return ServerMetadata(
        issuer=provider.issuer,
        authorization_endpoint=endpoint("authorization_endpoint", needed=True) or "",
        token_endpoint=endpoint("token_endpoint", needed=True) or "",
        revocation_endpoint=endpoint("revocation_endpoint"),
        introspection_endpoint=endpoint("introspection_endpoint"),
        pushed_authorization_request_endpoint=endpoint("pushed_authorization_request_endpoint"),
        registration_endpoint=endpoint("registration_endpoint"),
        requires_pushed_requests=body.get("require_pushed_authorization_requests") is True,
        names_itself_in_callback=body.get("authorization_response_iss_parameter_supported") is True,
        pkce_methods=methods,
        takes_client_documents=body.get("client_id_metadata_document_supported") is True,
        secret_goes="client_secret_post"
        if "client_secret_post" in ways and "client_secret_basic" not in ways
        else "client_secret_basic",
        takes_public_clients="none" in ways,
        knows_offline="offline_access" in _words(body.get("scopes_supported")),
    )


def _words(told: object) -> tuple[str, ...]:
    return tuple(each for each in told if isinstance(each, str)) if isinstance(told, list) else ()
