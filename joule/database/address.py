"""Refuses database addresses that would carry rows over a network in clear."""

import ipaddress
import os

import psycopg
from psycopg.conninfo import conninfo_to_dict

from joule.kernel.errors import Misconfigured

_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


def check_address(url: str) -> None:
    """Raises `Misconfigured` unless `url` stays on this machine or insists on TLS. Never repeats the address.

    libpq's default, `sslmode=prefer`, falls back to clear text, so it is refused like `disable`.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # The driver's message quotes the address, password included.
        raise Misconfigured(
            "the database's address cannot be read",
            advice="Write it as postgresql://role:password@host:5432/database?sslmode=verify-full.",
        ) from None
    if parts.get("service") or os.environ.get("PGSERVICE"):
        raise Misconfigured(
            "the database's address is hidden in a service file", advice="Write host and sslmode in the address."
        )
    hosts = str(parts.get("hostaddr") or parts.get("host") or "").split(",")
    if hosts == [""]:
        hosts = (os.environ.get("PGHOSTADDR") or os.environ.get("PGHOST") or "").split(",")
    if all(map(_is_here, hosts)) or parts.get("sslmode") in _ENCRYPTED:
        return
    raise Misconfigured(
        "the database is on another machine and its address does not insist on TLS",
        advice="Add sslmode=verify-full (and sslrootcert) to the address.",
    )


def _is_here(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):  # empty: the local socket
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
