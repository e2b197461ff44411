"""Masks what looks like a secret before content is shown to anybody but its author. Pure.

The journal holds no secret of Joule's own; people paste theirs into messages, and files and answers of servers hold
more. What is masked here stays in the record, sealed.
"""

import re
from typing import Any

MASK = "•••• (a secret, masked)"

_NAMES = re.compile(
    r"(?i)^(.*[_-])?(password|passwd|passphrase|secret|token|api[_-]?key|apikey|authorization|cookie|credential|private[_-]?key)s?$"
)
_SECRETS = re.compile(
    r"""
    -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
  | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*                             # JSON web tokens
  | \b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[A-Za-z0-9]{16,}[\w-]*       # keys of model and payment providers
  | \bgh[pousr]_[A-Za-z0-9]{20,}\b | \bgithub_pat_\w{20,}\b
  | \bglpat-[\w-]{16,}
  | \bxox[abeprs]-[\w-]{10,}
  | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
  | \bAIza[\w-]{30,} | \bya29\.[\w.-]{20,}
  | (?<=[Bb]earer\ )[\w.~+/=-]{16,}
  | (?<=://)[^\s:/@]+:[^\s/@]+(?=@)                               # a name and password in an address
  | (?<=[?&]token=)[^\s&]{12,} | (?<=[?&]key=)[^\s&]{12,} | (?<=[?&]code=)[^\s&]{12,}
  | (?i:(?<=password:\ )|(?<=password=)|(?<=passwort:\ )|(?<=secret=)|(?<=api_key=))\S{4,}
    """,
    re.VERBOSE | re.DOTALL,
)


def masked(value: Any) -> Any:
    """JSON data with every secret that is recognised by its name or its shape covered."""
    if isinstance(value, str):
        return _SECRETS.sub(MASK, value)
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    if isinstance(value, dict):
        return {name: MASK if _hides(str(name), each) else masked(each) for name, each in value.items()}
    return value


def _hides(name: str, value: Any) -> bool:
    """Whether a value is a secret by its name. Counts such as `input_tokens` are none."""
    return isinstance(value, str) and bool(value) and _NAMES.match(name) is not None
