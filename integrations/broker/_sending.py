"""Sends one request with its token: the only place in the house where a plaintext token meets the network.

Nothing is raised from here while a token is within reach. What goes wrong comes back as a value in our own words, so
that no exception, traceback or log carries a header; a cancellation is passed on bare.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import httpx2

from integrations.broker._echo import without
from integrations.broker.addresses import Hosts
from integrations.broker.guard import Network
from integrations.catalogue.errors import AnswerUnreadable
from integrations.catalogue.model import Provider, thawed
from integrations.catalogue.projecting import parsed
from integrations.catalogue.render import OutgoingRequest
from integrations.oauth.errors import AnswerRefused, HostRefused
from integrations.oauth.secret import Secret

logger = logging.getLogger(__name__)

LONGEST_HEADER = 500
Unsent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


@dataclass(frozen=True, kw_only=True)
class Came:
    """An answer. `value` is its JSON, or None; `readable` False when it was not JSON. No token is in it."""

    status: int
    value: object
    readable: bool
    retry_after: str | None
    challenge: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # in small letters


@dataclass(frozen=True, kw_only=True)
class Failed:
    """No answer. `unsent`: it is certain that the provider never got the request."""

    kind: Literal["host", "answer", "line"]
    reason: str
    unsent: bool


async def send(
    network: Network,
    provider: Provider,
    request: OutgoingRequest,
    *,
    token: Secret,
    extra: Mapping[str, Secret],
    headers: Mapping[str, str],
    answer_headers: Mapping[str, str] = MappingProxyType({}),
) -> Came | Failed:
    """One request, one answer. `extra` are further secrets by header, `headers` those of ours that are no secret.

    `answer_headers`: members of the answer by the header they come in.
    """
    secrets = (token.reveal(), *(each.reveal() for each in extra.values()))
    cancelled: tuple[object, ...] | None = None
    outcome: Came | Failed = Failed(kind="line", reason="it broke off", unsent=False)
    try:
        outcome = await _exchange(network, provider, request, secrets, tuple(extra), headers)
        if answer_headers and outcome.readable and 200 <= outcome.status < 300:
            outcome = _with_headers(outcome, answer_headers)
    except asyncio.CancelledError as stop:
        cancelled = stop.args
    except HostRefused as problem:
        outcome = Failed(kind="host", reason=problem.reason, unsent=True)
    except AnswerRefused as problem:
        outcome = Failed(kind="answer", reason=problem.reason, unsent=False)
    except httpx2.TransportError as problem:
        late = isinstance(problem, httpx2.TimeoutException)
        reason = "no answer in time" if late else "the line broke"
        outcome = Failed(kind="line", reason=reason, unsent=isinstance(problem, Unsent))
    except Exception as problem:  # noqa: BLE001 - its frames hold the token, so it goes no further than its name
        logger.error("a call ended in an unforeseen way: %s", type(problem).__name__)
    secrets = ()
    if cancelled is not None:
        raise asyncio.CancelledError(*cancelled)
    return outcome


async def _exchange(
    network: Network,
    provider: Provider,
    request: OutgoingRequest,
    secrets: tuple[str, ...],
    extra: tuple[str, ...],
    headers: Mapping[str, str],
) -> Came:
    name = request.host.partition(":")[0]
    hosts = Hosts(exact=frozenset({name}), loopback=provider.demo)
    content = None if request.json is None else json.dumps(thawed(request.json), ensure_ascii=False).encode()
    attached = {
        provider.token_header: f"{provider.token_prefix}{secrets[0]}",
        **dict(zip(extra, secrets[1:], strict=True)),
    }
    sent = {"Accept": "application/json", "User-Agent": "Joule", **request.headers, **headers, **attached}
    if content is not None:
        sent["Content-Type"] = "application/json"
    asked = httpx2.Request(request.method, request.url, headers=sent, content=content)
    # Straight onto the transport: a client would be made for nothing but its cookies and redirects, which there are none of.
    response = await network.transport(hosts, name=provider.title).handle_async_request(asked)
    try:
        raw = b"".join([part async for part in response.aiter_raw()])
    finally:
        await response.aclose()
    status, told = response.status_code, response.headers
    value, readable = _read(raw)
    return Came(
        status=status,
        value=without(value, secrets),
        readable=readable,
        retry_after=told.get("retry-after"),
        challenge=str(without(told.get("www-authenticate", ""), secrets)),
        headers={name.lower(): str(without(value[:LONGEST_HEADER], secrets)) for name, value in told.items()},
    )


def _with_headers(came: Came, named: Mapping[str, str]) -> Came:
    """The answer with what its provider says of it in headers, such as the name of what was made. The body comes first."""
    if came.value is not None and not isinstance(came.value, Mapping):
        return came
    found = {member: came.headers[header] for member, header in named.items() if header in came.headers}
    return replace(came, value={**found, **(came.value or {})}) if found else came


def _read(raw: bytes) -> tuple[object, bool]:
    try:
        return parsed(raw), True
    except AnswerUnreadable:
        return None, False
