"""Carries bytes to providers and lets nothing through that should not go: the room's one way onto the network.

The name is resolved here, judged here, and the address that was judged is the one that is dialled, so that a name whose
address changes in between gains nothing. TLS and the Host header keep the name. No proxy, no environment, no redirect,
no compressed answer; size and time of every answer end.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore2
import httpx2

from integrations.broker.addresses import Hosts, Resolver, SystemResolver, is_name, refusal
from integrations.oauth.errors import AnswerRefused, HostRefused

LOGGERS = (
    "httpx2",
    "httpcore2",
    *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_HEADERS = 200
Endpoint = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one answer may cost."""

    seconds: float = 10.0  # from the first packet to the last byte
    connect_seconds: float = 5.0  # name and handshake
    answer_bytes: int = 2 * 2**20
    header_bytes: int = 32 * 2**10


class Network:
    """One process's connections to providers. Used within one event loop; `close` it there.

    `loopback` are the endpoints on this machine that may be spoken to, in plain HTTP too: the demonstration provider, and
    servers of tests. All others are reached by https on port 443.
    """

    def __init__(
        self,
        *,
        resolver: Resolver | None = None,
        loopback: Collection[Endpoint] = (),
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        hush()
        self._loopback = frozenset(loopback)
        self._limits = limits or Limits()
        self._resolver, self._tls = resolver or SystemResolver(), tls
        self._made: httpcore2.AsyncConnectionPool | None = None

    def _pool(self) -> httpcore2.AsyncConnectionPool:
        # Made at the first request: reading the machine's certificates takes longer than most commands do.
        if self._made is None:
            self._made = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls or httpx2.create_ssl_context(trust_env=False),
                max_connections=100,
                max_keepalive_connections=20,
                keepalive_expiry=30.0,
                http2=False,
                network_backend=_Dialler(self._resolver, self._loopback, self._limits),
            )
        return self._made

    def client(self, hosts: Hosts, *, name: str, limits: Limits | None = None) -> httpx2.AsyncClient:
        """A client that reaches `hosts` and nothing else. `name` stands in errors. Closing it closes no connection."""
        return httpx2.AsyncClient(
            transport=self.transport(hosts, name=name, limits=limits),
            trust_env=False,
            follow_redirects=False,
            timeout=(limits or self._limits).seconds,
            headers={"accept-encoding": "identity", "user-agent": "Joule"},
        )

    def transport(self, hosts: Hosts, *, name: str, limits: Limits | None = None) -> httpx2.AsyncBaseTransport:
        """The same for whoever brings a client of their own."""
        return _Guarded(self._pool, hosts, self._loopback, limits or self._limits, name)

    async def close(self) -> None:
        if self._made is not None:
            await self._made.aclose()


def hush() -> None:
    """Keep the HTTP libraries from logging addresses, queries and headers, at whatever level logging is turned to."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        if not any(isinstance(each, _Hush) for each in logger.filters):
            logger.addFilter(_Hush())


class _Hush(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


class _Dialler(httpcore2.AsyncNetworkBackend):
    """Opens connections to judged addresses only."""

    def __init__(self, resolver: Resolver, loopback: frozenset[Endpoint], limits: Limits) -> None:
        self._resolver, self._loopback, self._limits = resolver, loopback, limits
        self._dial = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        seconds = min(timeout or self._limits.connect_seconds, self._limits.connect_seconds)
        problem: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for address in await self._judged(host, port, seconds):
            try:
                return await self._dial.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                problem = failed
        raise problem or httpcore2.ConnectError("the name has no address")

    async def _judged(self, host: str, port: int, seconds: float) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                found = list(await self._resolver.addresses(host, port))
        except TimeoutError:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise httpcore2.ConnectError("the name has no address") from None
        ours = (host, port) in self._loopback
        for address in found:
            word = refusal(address)
            if word is not None and not (ours and word == "loopback"):
                raise HostRefused(host, reason=f"its name leads to a {word} address")
            if ours and word != "loopback":
                raise HostRefused(host, reason="its name leads off this machine")
        return found

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Guarded(httpx2.AsyncBaseTransport):
    """One client's view of the network."""

    def __init__(
        self,
        pool: Callable[[], httpcore2.AsyncConnectionPool],
        hosts: Hosts,
        loopback: frozenset[Endpoint],
        limits: Limits,
        name: str,
    ) -> None:
        self._pool, self._hosts, self._loopback, self._limits, self._name = pool, hosts, loopback, limits, name

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._check(request)
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        content = request.stream
        if not isinstance(content, httpx2.AsyncByteStream):
            raise TypeError("a request is sent from an asynchronous body")
        outgoing = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=[pair for pair in request.headers.raw if pair[0].lower() != b"accept-encoding"]
            + [(b"Accept-Encoding", b"identity")],
            content=content,
            extensions={"timeout": httpx2.Timeout(self._limits.seconds).as_dict()},
        )
        async with _until(deadline):
            answer = await self._pool().handle_async_request(outgoing)
        body = _Body(answer, deadline, self._limits.answer_bytes, self._name)
        wrong = self._wrong_with(answer)
        if wrong is not None:
            await body.aclose()
            raise AnswerRefused(self._name, reason=wrong)
        return httpx2.Response(status_code=answer.status, headers=answer.headers, stream=body)

    def _check(self, request: httpx2.Request) -> None:
        url, host = request.url, request.url.host
        endpoint = (host, url.port or (443 if url.scheme == "https" else 80))
        if url.userinfo:
            raise HostRefused(self._name, reason="it carries a name and a password")
        if not self._hosts.allow(host):
            raise HostRefused(self._name)
        if self._hosts.loopback and endpoint in self._loopback and url.scheme in {"http", "https"}:
            return
        if not is_name(host):
            raise HostRefused(self._name, reason="it is not a name")
        if url.scheme != "https" or endpoint[1] not in self._hosts.ports or endpoint in self._loopback:
            raise HostRefused(self._name, reason="it is not https on the usual port")

    def _wrong_with(self, answer: httpcore2.Response) -> str | None:
        headers = {name.lower(): value for name, value in answer.headers}
        if answer.status in REDIRECTS:
            return "it points elsewhere"
        if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
            return "it is compressed"
        size = sum(len(name) + len(value) for name, value in answer.headers)
        if size > self._limits.header_bytes or len(answer.headers) > MAX_HEADERS:
            return "its headers are too large"
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limits.answer_bytes:
            return "it is too large"
        return None


class _Body(httpx2.AsyncByteStream):
    """An answer's body, up to its limits."""

    def __init__(self, answer: httpcore2.Response, deadline: float, most: int, name: str) -> None:
        self._answer, self._deadline, self._most, self._name = answer, deadline, most, name

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        parts = aiter(self._parts())
        while True:
            async with _until(self._deadline):
                part = await anext(parts, b"")
            if not part:
                return
            seen += len(part)
            if seen > self._most:
                raise AnswerRefused(self._name, reason="it is too large")
            yield part

    def _parts(self) -> AsyncIterable[bytes]:
        if not isinstance(self._answer.stream, AsyncIterable):
            raise TypeError("an answer is read asynchronously")
        return self._answer.stream

    async def aclose(self) -> None:
        await self._answer.aclose()


@asynccontextmanager
async def _until(deadline: float) -> AsyncIterator[None]:
    """What happens inside ends by the deadline, and fails with the client library's own exceptions."""
    wrong: Exception | None = None
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        wrong = httpx2.ReadTimeout("no whole answer in time")
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as failed:
        wrong = getattr(httpx2, type(failed).__name__, httpx2.TransportError)("the connection failed")
    if wrong is not None:
        raise wrong
