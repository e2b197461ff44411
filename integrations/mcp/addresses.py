"""Decides which addresses MCP servers may have. Pure: what a name leads to is judged by the guarded network."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from integrations.broker.addresses import is_name
from integrations.broker.guard import Endpoint
from integrations.mcp.errors import McpAddressRefused

LONGEST = 500


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server is. `title` is what people call it; it stands in errors."""

    url: str
    host: str
    title: str
    is_loopback: bool = False


def address(url: str, *, title: str, loopback: Collection[Endpoint] = ()) -> Address:
    """The address in one spelling. Raises `McpAddressRefused`.

    https on the usual port and a plain name; `loopback` are the endpoints of this machine that were set up to be used.
    """
    given = url.strip()
    if not given.isascii() or len(given) > LONGEST or re.search(r"[\x00-\x20\\\x7f]", given):
        raise McpAddressRefused("it is not a plain web address")
    try:
        parts = urlsplit(given)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise McpAddressRefused("it is not a plain web address") from None
    if "@" in parts.netloc:
        raise McpAddressRefused("it carries a name or a password")
    if "?" in given or "#" in given:
        raise McpAddressRefused("it carries something behind the path, where keys would be")
    path = parts.path or "/"
    if parts.scheme == "http" and (host, port or 80) in loopback:
        return Address(url=f"http://{host}:{port or 80}{path}", host=host, title=title, is_loopback=True)
    if parts.scheme != "https":
        raise McpAddressRefused("it is not https")
    if not is_name(host) or port not in {None, 443}:
        raise McpAddressRefused("it is not a plain name on the usual port")
    return Address(url=f"https://{host}{path}", host=host, title=title)
