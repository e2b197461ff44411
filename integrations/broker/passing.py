"""Passes on a request that is no connector's: to one exact host and port, over the guarded network, with nothing added.

Nothing is raised from here while a header is within reach, for a secret may stand in one: what goes wrong comes back as a value.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpx2

from integrations.broker.addresses import Hosts
from integrations.broker.guard import Endpoint, Limits, Network
from integrations.oauth.errors import AnswerRefused, HostRefused

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Passed:
    """An answer, as it came. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class NotPassed:
    """No answer, or none that is passed on. `host`: its address may not be reached, and nothing was sent."""

    kind: Literal["host", "answer", "line"]
    reason: str


async def passed(
    network: Network,
    endpoint: Endpoint,
    *,
    plain: bool,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    limits: Limits,
) -> Passed | NotPassed:
    """One request, one answer. `plain`: by http, which the network allows to its loopback endpoints alone."""
    host, port = endpoint
    hosts = Hosts(exact=frozenset({host}), ports=frozenset({port}), loopback=plain)
    asked = httpx2.Request(
        method, f"{'http' if plain else 'https'}://{host}:{port}{path}", headers=dict(headers), content=body or None
    )
    cancelled: tuple[object, ...] | None = None
    outcome: Passed | NotPassed = NotPassed(kind="line", reason="it broke off")
    try:
        outcome = await _exchanged(network, hosts, asked, limits)
    except asyncio.CancelledError as stop:
        cancelled = stop.args
    except HostRefused as problem:
        outcome = NotPassed(kind="host", reason=problem.reason)
    except AnswerRefused as problem:
        outcome = NotPassed(kind="answer", reason=problem.reason)
    except httpx2.TransportError:
        outcome = NotPassed(kind="line", reason="the line broke, or no answer came in time")
    except Exception as problem:  # noqa: BLE001 - its frames hold headers, so it goes no further than its name
        logger.error("a request of a sandbox ended in an unforeseen way: %s", type(problem).__name__)
    if cancelled is not None:
        raise asyncio.CancelledError(*cancelled)
    return outcome


async def _exchanged(network: Network, hosts: Hosts, asked: httpx2.Request, limits: Limits) -> Passed:
    response = await network.transport(hosts, name="the host", limits=limits).handle_async_request(asked)
    try:
        raw = b"".join([part async for part in response.aiter_raw()])
    finally:
        await response.aclose()
    told = {name.decode("ascii", "replace").lower(): value.decode("latin-1") for name, value in response.headers.raw}
    return Passed(status=response.status_code, headers=told, body=raw)
