"""Makes the request an operation describes out of arguments, and nothing else.

Pure. The host comes from the catalogue (or is the grant's own tenant, matched whole); an argument can fill a gap in the
path but never add, remove or climb a segment. The token is not here: the broker attaches it.
"""

import base64
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from integrations.catalogue.arguments import checked
from integrations.catalogue.errors import ArgumentsRefused, HostRefused
from integrations.catalogue.model import NOTHING, Operation, Provider, frozen, thawed

MAX_URL: Final = 8_000
GAP: Final = re.compile(r"\{([a-z_][a-z0-9_]*)(?:\|([a-z]+))?\}")
FILTERS: Final = frozenset({"slashes", "csv", "year", "month", "day", "little"})
_LITTLE: Final = re.compile(
    r"[\\|{}@\[\]()<>*_~]|#(?!\w)"
)  # LinkedIn cuts a post at the first it finds; hashtags may stay
_ABSENT: Final = object()


@dataclass(frozen=True, kw_only=True)
class OutgoingRequest:
    """What is to be sent, before a token is attached. `host` may carry a port only for the demonstration."""

    method: str
    scheme: Literal["https", "http"]
    host: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    structured: tuple[tuple[str, str], ...] = ()  # encoded already
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    json: dict[str, Any] | None = None

    @property
    def url(self) -> str:
        """Scheme, host, encoded path and encoded query."""
        plain = urlencode(self.query, quote_via=quote, safe="")
        query = "&".join(filter(None, (plain, *(f"{name}={value}" for name, value in self.structured))))
        return f"{self.scheme}://{self.host}{self.path}" + (f"?{query}" if query else "")


def render(
    provider: Provider, operation: Operation, arguments: Mapping[str, Any], *, tenant_host: str | None = None
) -> OutgoingRequest:
    """The request for these arguments. Raises `ArgumentsRefused` or `HostRefused`; then nothing may be sent."""
    values = checked(operation, arguments)
    request = OutgoingRequest(
        method=operation.method,
        scheme=provider.scheme,
        host=host_of(provider, operation.host, tenant_host),
        path=_path(operation.path, values),
        query=tuple(pair for name, template in operation.query.items() for pair in _pairs(name, template, values)),
        structured=tuple((name, _structured(template, values)) for name, template in operation.structured.items()),
        headers=frozen({name: text for name, text in _headers(operation.headers, values).items() if text}),
        json=_body(operation, values),
    )
    if len(request.url) > MAX_URL:
        raise ArgumentsRefused("", "the address would become too long")
    return request


def host_of(provider: Provider, host: str, tenant_host: str | None = None) -> str:
    """The host itself, checked: one of the provider's, or the tenant's whole name. Raises `HostRefused`."""
    if host != "{tenant}":
        if host not in provider.hosts:
            raise HostRefused()
        return host
    if provider.per_tenant_host is None or tenant_host is None:
        raise HostRefused("the connection does not say which shop, data centre or instance it belongs to")
    if not re.fullmatch(provider.per_tenant_host, tenant_host, re.ASCII):
        raise HostRefused("the shop, data centre or instance name is not one of the provider's")
    return tenant_host


def at_tenant(provider: Provider, url: str, tenant_host: str | None = None) -> str:
    """One of the provider's own addresses with `{tenant}` filled in. Raises `HostRefused`."""
    return url.replace("{tenant}", host_of(provider, "{tenant}", tenant_host)) if "{tenant}" in url else url


def _path(template: str, values: Mapping[str, Any]) -> str:
    def fill(gap: re.Match[str]) -> str:
        name, how = gap.group(1), gap.group(2)
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise ArgumentsRefused(name, "it is needed")
        return quote(_segment(name, str(value), slashes=how == "slashes"), safe="")

    path = GAP.sub(fill, template)
    if any(set(segment) <= {"."} and segment for segment in path.split("/")):
        raise ArgumentsRefused("", "they would lead to another address")
    return path


def _segment(name: str, text: str, *, slashes: bool) -> str:
    """Refuses whatever a lenient server might read as more than one piece of a path, now or after normalising."""
    plain = unicodedata.normalize("NFKC", text)
    forbidden = "\\?#%\n\t" if slashes else "/\\?#%\n\t"
    pieces = plain.split("/")
    if any(character in forbidden for character in plain) or any(piece.strip() in {".", ".."} for piece in pieces):
        raise ArgumentsRefused(name, "it holds characters that would change the address")
    return text


def _body(operation: Operation, values: Mapping[str, Any]) -> dict[str, Any] | None:
    if operation.body is None:
        return None
    filled = _filled(operation.body, values)
    return {} if filled is _ABSENT else dict(thawed(filled))


def _pairs(name: str, template: Any, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    filled = _filled(template, values)
    if filled is _ABSENT:
        return []
    several = filled if isinstance(filled, list) else [filled]
    return [(name, _text(one)) for one in several]


def _structured(template: str, values: Mapping[str, Any]) -> str:
    """The template as it stands, each gap filled with an encoded value; the catalogue lets only closed arguments in."""

    def fill(gap: re.Match[str]) -> str:
        name = gap.group(1)
        if name not in values:
            raise ArgumentsRefused(name, "it is needed")
        return quote(_text(_filtered(values[name], gap.group(2), name)), safe="")

    return GAP.sub(fill, template)


def _headers(templates: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    filled = {name: _filled(template, values) for name, template in templates.items()}
    texts = {name: _text(value) for name, value in filled.items() if value is not _ABSENT}
    for text in texts.values():
        if not all(" " <= character <= "~" for character in text):
            raise ArgumentsRefused("", "one cannot be carried in a header")
    return texts


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its gaps filled. A gap that is the whole keeps its type; a part without a value is left out."""
    if isinstance(template, str):
        return _text_filled(template, values)
    if isinstance(template, Mapping):
        if set(template) == {"$mail"}:
            return _mail(_filled(template["$mail"], values))
        if set(template) == {"$each", "make"}:
            several = _filled(template["$each"], values)
            return several if several is _ABSENT else [_filled(template["make"], {"each": one}) for one in several]
        filled = {key: _filled(inner, values) for key, inner in template.items()}
        kept = {key: inner for key, inner in filled.items() if inner is not _ABSENT}
        return kept if kept or not template else _ABSENT
    if isinstance(template, list | tuple):
        kept_items = [item for item in (_filled(inner, values) for inner in template) if item is not _ABSENT]
        return kept_items if kept_items or not template else _ABSENT
    return template


def _text_filled(template: str, values: Mapping[str, Any]) -> Any:
    whole = GAP.fullmatch(template)
    if whole:
        value = values.get(whole.group(1), _ABSENT)
        return value if value is _ABSENT else _filtered(value, whole.group(2), whole.group(1))
    if any(gap.group(1) not in values for gap in GAP.finditer(template)):
        return _ABSENT
    return GAP.sub(lambda gap: _text(_filtered(values[gap.group(1)], gap.group(2), gap.group(1))), template)


def _filtered(value: Any, how: str | None, name: str) -> Any:
    if how == "csv":
        return ",".join(_text(one) for one in value)
    if how in {"year", "month", "day"}:
        try:
            return int(str(value).split("-")[("year", "month", "day").index(how)])
        except (ValueError, IndexError) as error:
            raise ArgumentsRefused(name, "it is not a date like 2026-11-21") from error
    if how == "little":
        return _LITTLE.sub(r"\\\g<0>", str(value))
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _mail(parts: Mapping[str, Any]) -> str:
    """A plain-text message as Gmail takes it: RFC 5322 in URL-safe base64. No header can be smuggled in."""
    message = EmailMessage(policy=SMTP)
    for header in ("to", "subject"):
        value = str(parts.get(header, ""))
        if "\n" in value or "\t" in value:
            raise ArgumentsRefused(header, "it must be one line")
        message[header.title()] = value
    message.set_content(str(parts.get("text", "")))
    return base64.urlsafe_b64encode(message.as_bytes()).decode("ascii")
