"""What passes over the OAuth wire, as types. Nothing here does anything.

A field that is a `Secret` shows nothing when printed and cannot be pickled or written as JSON by accident.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from integrations.oauth.secret import Secret

MARGIN = timedelta(seconds=300)
SHARE_OF_LIFE = 0.2


@dataclass(frozen=True, kw_only=True)
class TokenSet:
    """What a provider handed out, checked. Times are by our clock at the moment of receipt, never the provider's.

    `scopes` is None when the provider did not say (as requested, or to be asked for: see the catalogue's
    `granted_from`); an empty tuple means it said "none". `expires_at` None means unknown, or never where the catalogue
    says so. `extra` holds what calls need and is no secret: `tenant` (the host that calls go to, checked), `account`, `team`.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    token_type: str = "Bearer"  # noqa: S105
    received_at: datetime
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def refresh_due_at(self) -> datetime | None:
        """When to renew: before the end by 300 seconds or a fifth of the life, whichever is less. None: no end known."""
        if self.expires_at is None:
            return None
        life = max(self.expires_at - self.received_at, timedelta())
        return self.expires_at - min(MARGIN, life * SHARE_OF_LIFE)

    def plaintext(self) -> bytes:
        """Everything, secrets included, as bytes: only to be sealed by the vault at once."""
        return json.dumps(
            {
                "access_token": self.access_token.reveal(),
                "refresh_token": self.refresh_token.reveal() if self.refresh_token is not None else None,
                "token_type": self.token_type,
                "received_at": self.received_at.isoformat(),
                "expires_at": self.expires_at.isoformat() if self.expires_at else None,
                "refresh_expires_at": self.refresh_expires_at.isoformat() if self.refresh_expires_at else None,
                "scopes": list(self.scopes) if self.scopes is not None else None,
                "extra": dict(self.extra),
            },
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> "TokenSet":
        """The token set that `plaintext` was made from."""
        kept = json.loads(plaintext)
        return cls(
            access_token=Secret(kept["access_token"]),
            refresh_token=Secret(kept["refresh_token"]) if kept["refresh_token"] is not None else None,
            token_type=kept["token_type"],
            received_at=datetime.fromisoformat(kept["received_at"]),
            expires_at=datetime.fromisoformat(kept["expires_at"]) if kept["expires_at"] else None,
            refresh_expires_at=(
                datetime.fromisoformat(kept["refresh_expires_at"]) if kept["refresh_expires_at"] else None
            ),
            scopes=tuple(kept["scopes"]) if kept["scopes"] is not None else None,
            extra=MappingProxyType(dict(kept["extra"])),
        )


@dataclass(frozen=True, kw_only=True)
class ClientIdentity:
    """Who Joule is at a provider. `next_secret` is tried once when the provider no longer takes `client_secret`."""

    client_id: str
    client_secret: Secret | None = None
    next_secret: Secret | None = None
    private_key: Secret | None = None
    key_id: str | None = None
    key_algorithm: str = "ES256"


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """Where to send the browser. Keep `state` and `verifier` sealed with the pending authorization; both are used once."""

    url: str
    state: Secret
    verifier: Secret
    redirect_uri: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TokenOutcome:
    """What really happened to one token. `detail` is a word of ours: `told`, `said_so`, `by_hand`, `busy`, `status_401`."""

    token: Literal["refresh", "access"]
    outcome: Literal["revoked", "already_dead", "unsupported", "failed"]
    detail: str

    @property
    def is_transient(self) -> bool:
        """True if the provider could not be told just now: tell it again later."""
        return self.outcome == "failed" and self.detail == "busy"


@dataclass(frozen=True, kw_only=True)
class Introspection:
    """What the provider says about a token now. Fields it did not give are None."""

    active: bool
    scopes: tuple[str, ...] | None = None
    subject: str | None = None
    audience: tuple[str, ...] | None = None
    expires_at: datetime | None = None
