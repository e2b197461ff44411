"""Decides which names and addresses may be reached at all. Pure, but for `SystemResolver`.

Only public unicast addresses pass. An address that carries another one inside it (IPv4-mapped, 6to4, Teredo, NAT64) is
judged by what it carries too, and every answer of the resolver must pass: one bad one among good ones refuses all.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Protocol

Address = IPv4Address | IPv6Address

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_SITE_LOCAL = IPv6Network("fec0::/10")
_COMPATIBLE = IPv6Network("::/96")


class Resolver(Protocol):
    """Turns a name into addresses."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Every address of the name, as text. Raises `OSError` when there is none."""
        ...


class SystemResolver:
    """Asks the operating system."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(str(where[0]) for *_, where in found))


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """Whom one client may talk to: exact names, and names that one of `patterns` matches whole.

    `loopback` lets it use what the network was started with as loopback endpoints; without it they are refused too.
    `ports` are those it may use by https.
    """

    exact: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = field(default=())
    loopback: bool = False
    ports: frozenset[int] = frozenset({443})

    def allow(self, host: str) -> bool:
        """Whether this very name, in lower case, is among them."""
        return host in self.exact or any(re.fullmatch(pattern, host) for pattern in self.patterns)


ANY_NAME = Hosts(patterns=(r"[a-z0-9.-]{1,253}",), loopback=True)
"""For who checks names elsewhere (`integrations.oauth.hosts`): addresses are judged, and loopback stays with the network."""


def is_name(host: str) -> bool:
    """Whether it is a plain host name in lower case, with a dot and no number in its last place.

    Every spelling of an address (decimal, octal, hexadecimal, short, bracketed) is none.
    """
    return _NAME.fullmatch(host) is not None


def refusal(address: str) -> str | None:
    """Why this address may not be reached, in a word; None when it is a public one."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "unreadable"
    return next((word for each in _carried(parsed) if (word := _judged(each))), None)


def _carried(address: Address) -> Sequence[Address]:
    """The address and what it carries inside."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    inside: list[Address] = [address]
    if address.sixtofour is not None:
        inside.append(address.sixtofour)
    if address.teredo is not None:
        inside.extend(address.teredo)
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return inside


def _judged(address: Address) -> str | None:
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if address.is_unspecified:
        return "unspecified"
    if isinstance(address, IPv6Address) and (
        address in _SITE_LOCAL or address in _COMPATIBLE or address in _LOCAL_NAT64
    ):
        return "private"
    if address.is_private or not address.is_global:
        return "private"
    if address.is_reserved:
        return "reserved"
    return None
