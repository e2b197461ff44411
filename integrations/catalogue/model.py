"""What Joule knows about a provider: its OAuth facts, its scopes in plain words, and the operations it may be asked for.

All of it is data, read once from `providers/*.yaml` and frozen. Nothing here does anything. Templates use `{tenant}` for
the one host a grant belongs to (a shop, a data centre, an instance); it must match `Provider.per_tenant_host` whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from integrations.catalogue.account import AccountClue

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The empty, unchangeable mapping."""

Pkce = Literal["required", "accepted", "off", "none"]
TokenAuth = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none", "json"]
GrantedFrom = Literal["response", "introspection", "permissions_call", "assumed"]
OperationEffect = Literal["read", "send", "spend", "write_draft"]
"""What the gate must think of it; `write_draft` changes something at the provider and is treated as `send`."""

Meaning = Literal["busy", "reconnect", "scope", "refused", "missing"]
"""What a provider's own error code comes down to: wait, sign in again, a permission is lacking, no, not there."""


class Risk(StrEnum):
    """What the worst use of a scope or an operation would be. Ordered: a later one includes the worry of an earlier."""

    R0 = "R0"
    R1 = "R1"
    R1P = "R1P"
    R2 = "R2"
    R3 = "R3"
    R4 = "R4"

    @property
    def words(self) -> str:
        """The class in a person's words, to stand after "Joule could"."""
        return _RISK_WORDS[self.value]

    @property
    def rank(self) -> int:
        """0 (harmless) to 5 (spends, deletes or administers)."""
        return list(Risk).index(self)


_RISK_WORDS = {
    "R0": "see who you are and what exists",
    "R1": "read business figures and content",
    "R1P": "read personal data of people",
    "R2": "create or change drafts and internal things",
    "R3": "publish, or send to people",
    "R4": "spend money, delete, or act as an administrator",
}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One permission of a provider.

    `sent` is False for a permission that exists only in our words, because the provider has none to ask for: it is
    stored as requested and granted, never put into an authorization request (`implied.to_send`).
    `always` marks what every connection needs (a refresh token, say). `implies` names scopes the provider documents as
    contained; nothing else is ever inferred.
    """

    name: str
    words: str
    risk: Risk
    implies: tuple[str, ...] = ()
    always: bool = False
    sent: bool = True


@dataclass(frozen=True, kw_only=True)
class Revocation:
    """How the provider is told that a grant is over. `kind` "none": only the person can, at `Provider.settings_url`."""

    kind: Literal["rfc7009", "api", "none"]
    url: str | None = None
    method: str = "POST"
    auth: Literal["client", "bearer", "none"] = "client"
    kills: str = ""
    note: str = ""
    takes: Literal["refresh", "access"] | None = None  # the only kind of token that can be named; None: either
    whole: bool = False  # ending one token ends all that this app and person have there, other grants too

    @property
    def possible(self) -> bool:
        """True if Joule itself can end the grant at the provider."""
        return self.kind != "none"


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """How long tokens live and how they are renewed. Figures are hints: the token response is always the truth."""

    kind: Literal["static", "rotating", "exchange", "none"]
    access_seconds: int | None = None
    hard_end_days: int | None = None
    idle_limit_days: int | None = None
    keep_warm_days: int | None = None
    zero_means_never: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Paging:
    """Where the next page's marker is found in an answer (`next`) and which argument takes it.

    kind "cursor": the marker is the value at `next`, and there is a page only if `more` (when given) is present and
    true. kind "offset": the marker is the `argument` given plus `size`, while it is below the number at `total`.
    """

    kind: Literal["cursor", "offset"]
    argument: str
    next: str | None = None
    more: str | None = None
    size: str | None = None
    total: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At most so many calls in so many seconds, for one connection."""

    calls: int
    seconds: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ErrorRules:
    """How to tell failure in an answer.

    `ok` is a path that must hold one of `ok_values` even when the status is 200 (Slack, TikTok); `code` is the path of
    the provider's own error code, `reasons` those of its closer ones (through lists with `[]`), asked first; `meanings`
    maps codes (as text) and three-digit statuses to what they come down to.
    """

    ok: str | None = None
    ok_values: tuple[Any, ...] = (True,)
    code: str | None = None
    reasons: tuple[str, ...] = ()
    meanings: Mapping[str, Meaning] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class ExtraSecret:
    """A second secret that every call carries in a header (an advertising developer token, say)."""

    name: str
    header: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing the agent may ask of a provider, as data. `render` makes the request, `projecting` trims the answer.

    `destinations` are the arguments that decide where something goes or whom it reaches; `amounts` those that decide
    what it costs: both are security-relevant. `structured` are query parameters in a notation of the provider's own, sent
    as they stand, with closed arguments alone in their gaps. `answer_headers`: members of the answer that come in headers
    of the answer instead. `example` is a valid set of arguments.
    """

    id: str
    title: str
    words: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    host: str
    path: str
    arguments: Mapping[str, Any]
    any_of: tuple[tuple[str, ...], ...]
    risk: Risk
    effect: OperationEffect
    projection: tuple[str, ...]
    query: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    structured: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    answer_headers: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    paging: Paging | None = None
    rate: Rate | None = None
    idempotency: str = "none"
    errors: ErrorRules = ErrorRules()
    destinations: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    @property
    def repeatable(self) -> bool:
        """True if asking twice does no more than asking once."""
        return self.idempotency == "safe" or self.idempotency.startswith("header:")

    @property
    def idempotency_header(self) -> str | None:
        """The header in which the provider takes an idempotency key, if it takes one."""
        kind, _, name = self.idempotency.partition(":")
        return name if kind == "header" else None

    def schema(self) -> dict[str, Any]:
        """The arguments' JSON schema as plain dicts and lists, a fresh copy."""
        return dict(thawed(self.arguments))


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One provider, whole. `group` is its shelf in the catalogue; `family` names those whose consent is ONE grant.

    URLs may hold `{tenant}`; `account` says where the account is named. `demo` is True only for the labelled demonstration on loopback, which alone may speak http.
    `unverified` lists what was not seen in a source and is shown as such: `field`, `field.part` or `field: what of it`.
    """

    id: str
    title: str
    group: str
    family: str
    what_it_is: str
    authorization_url: str | None
    token_url: str | None
    revocation: Revocation
    refresh: Refresh
    pkce: Pkce
    scopes: Mapping[str, Scope]
    hosts: tuple[str, ...]
    splits_read_from_write: bool
    token_life_words: str
    settings_url: str
    settings_words: str
    registers_at: str
    registers_words: str
    could: Mapping[str, str]
    introspection_url: str | None = None
    metadata_url: str | None = None
    permissions_url: str | None = None
    issuer: str | None = None
    token_auth: TokenAuth = "client_secret_post"  # noqa: S105 - the name of a way, no secret
    token_body: Literal["form", "json"] = "form"  # noqa: S105 - the name of a way, no secret
    token_header: str = "Authorization"  # noqa: S105 - the name of a way, no secret
    token_prefix: str = "Bearer "  # noqa: S105 - the name of a way, no secret
    scope_separator: str = " "
    authorize_params: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    token_params: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    client_id_param: str = "client_id"
    granted_from: GrantedFrom = "response"
    strategy: str | None = None
    per_tenant_host: str | None = None
    tenant_words: str = ""
    tenant_example: str | None = None
    extra_secrets: tuple[ExtraSecret, ...] = ()
    account: tuple[AccountClue, ...] = ()
    operations: Mapping[str, Operation] = field(default_factory=lambda: NOTHING)
    notes: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    demo: bool = False

    @property
    def discovery(self) -> str | None:
        """The issuer whose metadata (RFC 8414) may be fetched and pinned, if the provider publishes any."""
        return self.issuer

    @property
    def scheme(self) -> Literal["https", "http"]:
        """http for the demonstration on loopback, https for everybody else."""
        return "http" if self.demo else "https"

    def is_unverified(self, field: str) -> bool:
        """True if this field, a part of it, or the whole it is a part of was not seen in a source."""
        named = [entry.partition(":")[0] for entry in self.unverified]
        return any(name == field or name.startswith(f"{field}.") or field.startswith(f"{name}.") for name in named)

    @property
    def worst(self) -> Risk:
        """The gravest risk any of its scopes carries."""
        return max((scope.risk for scope in self.scopes.values()), key=lambda risk: risk.rank)


def frozen(value: Any) -> Any:
    """The same JSON-like value, unchangeable all the way down."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen(inner) for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return tuple(frozen(inner) for inner in value)
    return value


def thawed(value: Any) -> Any:
    """The same value as plain dicts and lists, a copy all the way down."""
    if isinstance(value, Mapping):
        return {key: thawed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [thawed(inner) for inner in value]
    return value
