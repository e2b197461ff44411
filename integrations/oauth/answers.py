"""Reads token answers and believes nothing in them that was not checked.

A 4xx is never a token, a body with an `error` is never a token, and a token is text that fits into a header.
"""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from integrations.catalogue.model import Provider
from integrations.oauth.errors import (
    AnswerRefused,
    ClientRefused,
    GrantDead,
    ProviderBusy,
    RequestRefused,
    known_error,
)
from integrations.oauth.secret import Secret
from integrations.oauth.sending import Answer
from integrations.oauth.tokens import TokenSet
from joule.kernel.errors import JouleError

LONGEST_TOKEN = 8 * 1024
LONGEST_LIFE = 10 * 366 * 86_400  # seconds; anything longer is not a time anybody means
MOST_SCOPES = 200
_TOKEN = re.compile(r"[\x21-\x7e]+")
_BUSY = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_CLIENT = frozenset({"invalid_client", "unauthorized_client"})


def failure(provider: Provider, status: int, error: object, *, retry_after: float | None = None) -> JouleError:
    """The error that an OAuth error code with this status comes down to."""
    name = known_error(error)
    if name in _BUSY:
        return ProviderBusy(provider.title, reason=name, retry_after=retry_after)
    if name == "invalid_grant":
        return GrantDead(provider.title)
    if name in _CLIENT or (name == "other" and status == 401):
        return ClientRefused(provider.title)
    return RequestRefused(provider.title, error=name)


def refuses_client(answer: Answer) -> bool:
    """True if the provider does not know Joule by the id and secret just used."""
    error = answer.body.get("error") if answer.body is not None else None
    return error in _CLIENT if isinstance(error, str) else answer.status == 401


def without_error(provider: Provider, answer: Answer) -> Mapping[str, Any]:
    """The answer's object if it is a 2xx without `error`; else raises what the answer says went wrong."""
    body = answer.body
    error = body.get("error") if body is not None else None
    if body is not None and "error" in body and error not in (None, "", False):
        raise failure(provider, answer.status, error, retry_after=answer.retry_after)
    if answer.status >= 400:
        raise failure(provider, answer.status, None, retry_after=answer.retry_after)
    if body is None:
        raise AnswerRefused(provider.title, reason="empty")
    return body


def token_set(
    provider: Provider, body: Mapping[str, Any], *, now: datetime, type_may_be_missing: bool = False
) -> TokenSet:
    """The tokens in a checked answer's `body`, which is in the standard's words by now."""
    return TokenSet(
        access_token=Secret(_token(provider, body.get("access_token"), "access_token")),
        refresh_token=_optional_token(provider, body.get("refresh_token"), "refresh_token"),
        token_type=_type(provider, body.get("token_type"), may_be_missing=type_may_be_missing),
        received_at=now,
        expires_at=ends_at(body.get("expires_in"), now=now, zero_means_never=provider.refresh.zero_means_never),
        refresh_expires_at=_refresh_end(body, now=now),
        scopes=scopes(provider, body.get("scope")),
        extra=MappingProxyType({}),
    )


def ends_at(expires_in: object, *, now: datetime, zero_means_never: bool) -> datetime | None:
    """When something received at `now` ends. None when that is not known, or never.

    Whole seconds, also as text or with a fraction. 0 means "at once" unless the catalogue says it means never. Missing,
    negative, endless or no number at all: not known, so that a rotated token is not thrown away for a bad hint.
    """
    if isinstance(expires_in, bool):
        return None
    if isinstance(expires_in, str):
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", expires_in.strip()):
            return None
        expires_in = float(expires_in)
    if not isinstance(expires_in, int | float) or not math.isfinite(expires_in):
        return None
    if expires_in < 0 or expires_in > LONGEST_LIFE:
        return None
    if expires_in == 0 and zero_means_never:
        return None
    return now + timedelta(seconds=int(expires_in))


def scopes(provider: Provider, value: object) -> tuple[str, ...] | None:
    """The scopes an answer names, in its order and each once. None: it does not say."""
    if value is None:
        return None
    if isinstance(value, str):
        parts = re.split(r"[\s,]+" if provider.scope_separator.strip() == "," else r"\s+", value)
    elif isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        parts = list(value)
    else:
        raise AnswerRefused(provider.title, reason="scope_not_text")
    named = tuple(dict.fromkeys(part for part in parts if part))
    if len(named) > MOST_SCOPES or any(not _TOKEN.fullmatch(part) for part in named):
        raise AnswerRefused(provider.title, reason="scope_not_text")
    return named


def _token(provider: Provider, value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise AnswerRefused(provider.title, reason=f"no_{name}")
    if len(value) > LONGEST_TOKEN or not _TOKEN.fullmatch(value):
        raise AnswerRefused(provider.title, reason=f"{name}_malformed")
    return value


def _optional_token(provider: Provider, value: object, name: str) -> Secret | None:
    return None if value is None or value == "" else Secret(_token(provider, value, name))


def _type(provider: Provider, value: object, *, may_be_missing: bool) -> str:
    if value is None and may_be_missing:
        return "Bearer"
    if isinstance(value, str) and value.lower() == "bearer":
        return "Bearer"
    raise AnswerRefused(provider.title, reason="token_type")


def _refresh_end(body: Mapping[str, Any], *, now: datetime) -> datetime | None:
    for name in ("refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in"):
        if name in body:
            end = ends_at(body[name], now=now, zero_means_never=True)
            if end is not None:
                return end
    return None
