"""Takes apart what comes through the door as an attacker's: a head of bounded JSON and a body of bounded length. Pure.

What is passed on is put together anew from what was understood; nothing of the guest's own spelling goes further.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.egress.errors import RequestRefused

LARGEST_HEAD = 32_768  # bytes
LARGEST_BODY = 2**20
LONGEST_PATH = 4_096
MOST_HEADERS = 40
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_PATH = re.compile(r"/[\x21-\x7e]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e\t]{0,4000}")
_OURS = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"),
        *("expect", "accept-encoding", "forwarded", "via", "proxy-authorization", "proxy-connection"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, understood."""

    host: str
    port: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(default=b"", repr=False)


def asked(head: bytes, body: bytes) -> Asked:
    """The request. Raises `RequestRefused`."""
    told = _object(head)
    scheme, host, port, method, path = (told.get(name) for name in ("scheme", "host", "port", "method", "path"))
    if scheme not in {"https", "http"}:
        raise RequestRefused("it is neither https nor http")
    if not isinstance(host, str) or not 0 < len(host) <= 253 or isinstance(port, bool) or not isinstance(port, int):
        raise RequestRefused("it names no host and port")
    if not isinstance(method, str) or method not in METHODS:
        raise RequestRefused("its method is not one of those that are passed on")
    if not isinstance(path, str) or len(path) > LONGEST_PATH or "#" in path or _PATH.fullmatch(path) is None:
        raise RequestRefused("its path is no plain one")
    if len(body) > LARGEST_BODY:
        raise RequestRefused("it has more data than may go out at once")
    return Asked(host=host, port=port, method=method, path=path, headers=_headers(told.get("headers")), body=body)


def without(headers: tuple[tuple[str, str], ...], name: str | None) -> dict[str, str]:
    """The headers less the one that the proxy attaches itself."""
    return {each: value for each, value in headers if name is None or each.lower() != name.lower()}


def is_header(name: str) -> bool:
    """Whether this can be the name of a header that a secret is attached in."""
    return _HEADER.fullmatch(name) is not None and name.lower() not in _OURS


def is_value(value: str) -> bool:
    """Whether this can be a header's value."""
    return bool(value.strip()) and _VALUE.fullmatch(value) is not None


def _headers(given: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, list) or len(given) > MOST_HEADERS:
        raise RequestRefused("its headers are none, or too many")
    kept: dict[str, tuple[str, str]] = {}
    for each in given:
        if not (isinstance(each, list) and len(each) == 2 and all(isinstance(part, str) for part in each)):
            raise RequestRefused("its headers are none")
        name, value = each
        if _HEADER.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise RequestRefused("a header has characters that no header has")
        if name.lower() not in _OURS and not name.lower().startswith("x-forwarded-"):
            kept[name.lower()] = (name, value)
    return tuple(kept.values())


def _object(head: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(head)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise RequestRefused("it is none")
    return told
