"""Which hosts can be listed, and when two spellings are one. Pure.

A place is one exact name and one exact port: no wildcards, no addresses in figures, nothing that is read two ways.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from sandbox.egress.errors import PlaceRefused

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
_INSIDE = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".onion")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A host and a port, in the one spelling there is of them."""

    host: str
    port: int

    def __str__(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"


def place(host: str, port: int, *, loopback: Collection[tuple[str, int]] = ()) -> Place:
    """The place. Raises `PlaceRefused`; `loopback` are the endpoints of this machine that were set up to be tried."""
    name = host.strip().lower()
    if not 1 <= port <= 65535:
        raise PlaceRefused("there is no such port")
    if (name, port) in loopback:
        return Place(host=name, port=port)
    if "*" in name:
        raise PlaceRefused("it stands for more than one host")
    if not name.isascii() or _NAME.fullmatch(name) is None:
        raise PlaceRefused("it is no full name of a host")
    if name.endswith(_INSIDE):
        raise PlaceRefused("it is a name of a private network")
    return Place(host=name, port=port)
