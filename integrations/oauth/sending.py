"""Sends one request to a provider's OAuth endpoint and reads one small JSON object back.

No redirects, one deadline for everything, at most 16 KB read, no proxies from the environment. What is wrong with the line
or the server is `ProviderBusy`; what is wrong with the answer is `AnswerRefused`. The loggers of the libraries underneath are
held at WARNING: they would write whole URLs, and with them codes.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx2

from integrations.oauth.errors import AnswerRefused, ProviderBusy
from joule.kernel.clock import Clock

TALKATIVE = ("httpx2", "httpcore2", "httpx", "httpcore", "authlib")
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Joule"}
LONGEST_WAIT = 86_400.0  # seconds a Retry-After may ask for


@dataclass(frozen=True, kw_only=True)
class HttpPolicy:
    """How the wire behaves. `transport` is the guarded one in the product (addresses checked after resolution); it is lent,
    never closed here. Without one, a plain transport is opened for each request.
    """

    deadline_seconds: float = 10.0
    max_bytes: int = 16 * 1024
    transport: httpx2.AsyncBaseTransport | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A provider's answer: its status and the JSON object in it. `body` is None when an error came without one."""

    status: int
    body: Mapping[str, Any] | None
    retry_after: float | None = None


class _Lent(httpx2.AsyncBaseTransport):
    """A transport that outlives the client using it."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Leaves the lender's transport open."""


def hush() -> None:
    """Holds the loggers of the HTTP and OAuth libraries at WARNING, whatever the root logger is set to."""
    for name in list(logging.Logger.manager.loggerDict):
        if name.split(".", 1)[0] in TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates to trust, read once: reading them takes longer than a request."""
    return httpx2.create_ssl_context(trust_env=False)


def client_settings(policy: HttpPolicy) -> dict[str, Any]:
    """The keyword arguments every HTTP client of this package is made with."""
    settings: dict[str, Any] = {
        "follow_redirects": False,
        "trust_env": False,
        "timeout": httpx2.Timeout(policy.deadline_seconds),
    }
    if policy.transport is not None:
        return {**settings, "transport": _Lent(policy.transport)}
    return {**settings, "verify": _trusted()}


async def ask(
    client: httpx2.AsyncClient,
    *,
    provider: str,
    policy: HttpPolicy,
    clock: Clock,
    method: str,
    url: str,
    auth: httpx2.Auth | None = None,
    headers: Mapping[str, str] | None = None,
    query: Sequence[tuple[str, str]] = (),
    content: bytes | None = None,
) -> Answer:
    """Sends the request and reads the answer, all within the deadline.

    Returns only 2xx answers holding a JSON object (or an empty body) and 4xx answers, with their object if they have one.
    """
    hush()
    try:
        async with (
            asyncio.timeout(policy.deadline_seconds),
            client.stream(
                method,
                url,
                params=list(query) or None,
                content=content,
                headers={**HEADERS, **(headers or {})},
                auth=auth,
                follow_redirects=False,
            ) as response,
        ):
            read = await _bounded(response, provider=provider, limit=policy.max_bytes)
    except TimeoutError:
        raise ProviderBusy(provider, reason="no_answer_in_time") from None
    except httpx2.TimeoutException:
        raise ProviderBusy(provider, reason="no_answer_in_time") from None
    except httpx2.DecodingError:
        raise AnswerRefused(provider, reason="encoded") from None
    except httpx2.HTTPError:  # from None: its request holds secrets
        raise ProviderBusy(provider, reason="line_broken") from None
    return _judged(response, read, provider=provider, now=clock.now())


async def _bounded(response: httpx2.Response, *, provider: str, limit: int) -> bytes:
    """The body's raw bytes; one byte past the limit ends the reading."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerRefused(provider, reason="encoded")
    read = bytearray()
    async for piece in response.aiter_raw():
        read += piece
        if len(read) > limit:
            raise AnswerRefused(provider, reason="too_large")
    return bytes(read)


def _judged(response: httpx2.Response, read: bytes, *, provider: str, now: datetime) -> Answer:
    status = response.status_code
    wait = retry_after(response.headers.get("retry-after"), now=now)
    if status == 429 or status >= 500:
        raise ProviderBusy(provider, reason=f"status_{status}", retry_after=wait)
    if not (200 <= status < 300 or 400 <= status < 500):
        raise AnswerRefused(provider, reason="redirect" if 300 <= status < 400 else "status")
    if not read.strip():
        return Answer(status=status, body=None, retry_after=wait)
    try:
        return Answer(status=status, body=_object(read, provider=provider), retry_after=wait)
    except AnswerRefused:
        if status >= 400:  # a gateway's page: the status says enough
            return Answer(status=status, body=None, retry_after=wait)
        raise


def _object(read: bytes, *, provider: str) -> dict[str, Any]:
    try:
        parsed = json.loads(read.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except _Twice:
        raise AnswerRefused(provider, reason="member_given_twice") from None
    except (ValueError, RecursionError):
        raise AnswerRefused(provider, reason="not_json") from None
    if not isinstance(parsed, dict):
        raise AnswerRefused(provider, reason="not_an_object")
    return parsed


class _Twice(Exception):
    """A member name occurs twice: two readers could take different ones for the truth."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Twice
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, given as seconds or as a date; None if it says nothing usable."""
    if value is None:
        return None
    if value.strip().isdecimal() and len(value) < 10:
        return min(float(value), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(value)
        return min(max((at - now).total_seconds(), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError):
        return None
