"""Decides which addresses a provider may be reached at.

A tenant's host is put into a template only if it matches the provider's pattern whole. Addresses are checked again after
resolution by the guarded transport; here only names are.
"""

import ipaddress
import re
from dataclasses import replace
from urllib.parse import urlsplit

from integrations.catalogue.model import Provider
from integrations.oauth.errors import HostRefused

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TENANT_FIELDS = ("authorization_url", "token_url", "introspection_url", "metadata_url", "permissions_url", "issuer")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")


def checked_tenant(provider: Provider, tenant: str) -> str:
    """`tenant` in lower case, if it is a plain host name that matches the provider's pattern whole."""
    host = tenant.lower()
    if provider.per_tenant_host is None:
        raise HostRefused(provider.title, reason="it has no hosts of tenants")
    plain = provider.demo or _is_name(host)  # the demonstration is reached by address and port
    if not plain or not re.fullmatch(provider.per_tenant_host, host, re.ASCII):
        raise HostRefused(provider.title, reason="not a host name of the form it uses")
    return host


def for_tenant(provider: Provider, tenant: str) -> Provider:
    """The provider with `{tenant}` filled in everywhere, for one tenant's host."""
    host = checked_tenant(provider, tenant)
    filled = {
        name: value.replace("{tenant}", host)
        for name in _TENANT_FIELDS
        if isinstance(value := getattr(provider, name), str)
    }
    revocation = provider.revocation
    if revocation.url is not None:
        revocation = replace(revocation, url=revocation.url.replace("{tenant}", host))
    return replace(provider, revocation=revocation, **filled)  # type: ignore[arg-type]


def checked_url(provider: Provider, url: str | None, *, published: bool = False) -> str:
    """`url`, if a request may go there: https (http only for the demonstration), a plain host, nothing hidden in it.

    `published` is True for an address the provider itself named (metadata, an answer): its host must then be one the
    catalogue knows. Never returns a URL with an unfilled template, credentials, a fragment or an address for a host.
    """
    if not url or "{" in url or not url.isascii() or re.search(r"[\s\\\x00-\x20\x7f]", url):
        raise HostRefused(provider.title, reason="no usable address")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise HostRefused(provider.title, reason="no usable address") from None
    if "@" in parts.netloc or parts.fragment or "#" in url:
        raise HostRefused(provider.title, reason="something is hidden in the address")
    if provider.demo:
        if host not in LOOPBACK:
            raise HostRefused(provider.title, reason="the demonstration stays on this machine")
    elif parts.scheme != "https":
        raise HostRefused(provider.title, reason="not https")
    elif _is_address(host) or not _is_name(host) or port not in (None, 443):
        raise HostRefused(provider.title, reason="not a plain host name")
    if parts.scheme not in ("https", "http"):
        raise HostRefused(provider.title, reason="not https")
    if published and not knows_host(provider, parts.netloc if provider.demo else host):
        raise HostRefused(provider.title)
    return url


def knows_host(provider: Provider, host: str) -> bool:
    """True if `host` is one of the catalogue's for this provider, or one of its tenants'."""
    host = host.lower()
    if host in {candidate.lower() for candidate in provider.hosts}:
        return True
    revocation = provider.revocation.url
    known = (getattr(provider, name) for name in _TENANT_FIELDS)
    if any(
        isinstance(url, str) and "{" not in url and host in (urlsplit(url).hostname, urlsplit(url).netloc)
        for url in (*known, revocation)
    ):
        return True
    pattern = provider.per_tenant_host
    return pattern is not None and (provider.demo or _is_name(host)) and bool(re.fullmatch(pattern, host, re.ASCII))


def _is_name(host: str) -> bool:
    return _HOST.fullmatch(host) is not None


def _is_address(host: str) -> bool:
    """True for any spelling of an IP address a resolver might take: dotted, hexadecimal, one big number."""
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return bool(re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?", host, re.IGNORECASE))
