"""The tokens of sessions and links: `<organisation, 32 hex digits>.<256 random bits, base64url>`.

The organisation stands in front so that its scope is set before anything is looked up; it is an id, not a secret, and
a wrong one finds nothing. Only a SHA-256 of the secret is stored: with 256 random bits there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from joule.identity.actions import Secret
from joule.kernel.ids import OrgId

_SHAPE = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")


class Kind(StrEnum):
    """What a token opens. It is part of the stored hash, so that a link is never taken for a session."""

    SESSION = "session"
    LINK = "link"


@dataclass(frozen=True, kw_only=True)
class Token:
    """A well-formed token: whose it claims to be, and the hash it would be found by."""

    org: OrgId
    key: bytes

    def is_found_in(self, stored: bytes) -> bool:
        """Whether `stored` is this token's hash; takes the same time wherever they differ."""
        return hmac.compare_digest(self.key, stored)


def mint(org: OrgId, kind: Kind) -> tuple[Secret, bytes]:
    """A fresh token for its holder, and the hash to store."""
    secret = secrets.token_urlsafe(32)
    return Secret(f"{org.hex}.{secret}"), _key(kind, secret)


def read(token: Secret, kind: Kind) -> Token | None:
    """The token's parts, or None when it is not one at all. Proves nothing: the hash has still to be found."""
    shape = _SHAPE.fullmatch(token.get_secret_value())
    if shape is None:
        return None
    return Token(org=OrgId(UUID(hex=shape[1])), key=_key(kind, shape[2]))


def organisation_of(token: Secret) -> OrgId | None:
    """Which organisation's scope a session or link token has to be looked up in; None: not a token."""
    shape = _SHAPE.fullmatch(token.get_secret_value())
    return None if shape is None else OrgId(UUID(hex=shape[1]))


def _key(kind: Kind, secret: str) -> bytes:
    return hashlib.sha256(f"joule.{kind.value}\0{secret}".encode()).digest()
