"""Judges what the browser brings back before anything is sent to the provider, and makes what it must bring back.

The code is taken from named fields only. A whole callback address is never handed to a library: one that reads fragments
would take an attacker's token for the answer.
"""

import re
import secrets

from integrations.oauth.errors import CallbackRefused, RequestRefused
from integrations.oauth.secret import Secret

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def new_state() -> Secret:
    """A state nobody can guess: 256 random bits."""
    return Secret(secrets.token_urlsafe(32))


def new_verifier() -> Secret:
    """A PKCE verifier of 64 characters, 384 random bits."""
    return Secret(secrets.token_urlsafe(48))


def is_verifier(text: str) -> bool:
    """True for 43 to 128 characters of the alphabet of RFC 7636."""
    return _VERIFIER.fullmatch(text) is not None


def checked_code(
    provider: str, *, code: Secret | None, issuer: str | None, error: str | None, expected: str | None, required: bool
) -> Secret:
    """The code, if the callback comes from the issuer that was asked (RFC 9207) and brings one.

    `expected` is the issuer pinned for this provider, `required` whether it promised to name itself. Compared exactly.
    """
    if issuer is None and required:
        raise CallbackRefused(provider, reason="it does not say which issuer it comes from")
    if issuer is not None and expected is not None and issuer != expected:
        raise CallbackRefused(provider, reason="it comes from another issuer")
    if error is not None:
        raise RequestRefused(provider, error=error)
    if code is None or not code or not code.reveal().isprintable():
        raise CallbackRefused(provider, reason="no code")
    return code
