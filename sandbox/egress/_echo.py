"""Takes a secret out of an answer, in any of the ways a host might repeat it. Pure."""

import base64
from collections.abc import Sequence
from urllib.parse import quote, quote_plus

REMOVED = b"[removed]"
SHORTEST = 6  # characters; anything shorter is too common to be searched for, and is no secret


def without(content: bytes, secrets: Sequence[str]) -> bytes:
    """The bytes with every form of every secret replaced."""
    for secret in secrets:
        for form in _forms(secret):
            content = content.replace(form, REMOVED)
    return content


def parts_of(value: str) -> tuple[str, ...]:
    """What of a header's value is secret: all of it, and what stands behind a word such as `Bearer`."""
    return tuple(each for each in dict.fromkeys((value, value.rpartition(" ")[2])) if len(each) >= SHORTEST)


def _forms(secret: str) -> tuple[bytes, ...]:
    raw = secret.encode()
    packed = {base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode()}
    found = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), *packed}
    return tuple(sorted(found | {each.rstrip(b"=") for each in packed}, key=len, reverse=True))
