"""Takes a token out of whatever came back, in any of the ways a server might repeat it. Pure."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

REMOVED = "[removed]"
SHORTEST = 6  # anything shorter is too common to be searched for


def without(value: Any, secrets: tuple[str, ...]) -> Any:
    """The same JSON value with every form of every secret replaced, in names of members too."""
    forms = tuple(form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret))
    return _stripped(value, forms) if forms else value


def _forms(secret: str) -> tuple[str, ...]:
    raw = secret.encode()
    packed = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    found = {secret, quote(secret, safe=""), quote_plus(secret), *packed}
    return tuple(sorted(found | {each.rstrip("=") for each in packed}, key=len, reverse=True))


def _stripped(value: Any, forms: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for form in forms:
            if form in value:
                value = value.replace(form, REMOVED)
        return value
    if isinstance(value, Mapping):
        return {_stripped(name, forms): _stripped(inner, forms) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_stripped(inner, forms) for inner in value]
    return value
