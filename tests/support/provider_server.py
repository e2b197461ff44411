"""A provider's API on loopback, over a real socket, that answers as it is told: well, badly, slowly, never, too much.

Give it `answers` before it is asked; look at `requests` afterwards. When none is left it repeats the last. With a
certificate it speaks TLS, so that a test can see which name was asked for.
"""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class Answers(Protocol):
    """What goes back for one request."""

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        """Send it; True when the line may be used again."""
        ...


@dataclass(frozen=True, kw_only=True)
class Json:
    """A whole answer."""

    value: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        body = json.dumps(self.value).encode()
        await _head(writer, self.status, {"content-type": "application/json", **self.headers}, len(body))
        await _raw(writer, body)
        return True


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Bytes as they are, as a body of this type."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        await _head(writer, self.status, self.headers, len(self.body))
        await _raw(writer, self.body)
        return True


@dataclass(frozen=True, kw_only=True)
class Echo:
    """Sends back what it was sent, headers included, in the body and in a header."""

    status: int = 200

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        told = {name: value for name, value in asked.headers.items() if name not in {"host", "content-length"}}
        value = {"headers": told, "target": asked.target, "said": " ".join(told.values())}
        return await Json(value=value, status=self.status, headers={"x-echo": " ".join(told.values())}).send(
            writer, asked
        )


@dataclass(frozen=True, kw_only=True)
class Endless:
    """A body in pieces that does not end: `total` bytes, no length told."""

    total: int

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        await _raw(writer, b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        piece = b"x" * 65_536
        for _ in range(self.total // len(piece)):
            await _raw(writer, f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await _raw(writer, b"0\r\n\r\n")
        return True


@dataclass(frozen=True, kw_only=True)
class Bomb:
    """A small body that unpacks to a large one."""

    unpacked: int

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        packed = gzip.compress(b'"' + b"0" * self.unpacked + b'"')
        return await Raw(body=packed, headers={"content-encoding": "gzip"}).send(writer, asked)


@dataclass(frozen=True, kw_only=True)
class CutShort:
    """Says it has more to tell, then hangs up."""

    body: bytes = b'{"half": '

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        await _head(writer, 200, {"content-type": "application/json"}, len(self.body) + 1000)
        await _raw(writer, self.body)
        return False


@dataclass(frozen=True, kw_only=True)
class HangsUp:
    """Takes the request and hangs up."""

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        return False


@dataclass(frozen=True, kw_only=True)
class Silent:
    """Takes the request and says nothing; with `first`, goes silent after that."""

    first: bytes = b""

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        await _raw(writer, self.first)
        await asyncio.sleep(3600)
        return False


class ProviderServer:
    """The server."""

    def __init__(self, *answers: Answers) -> None:
        self.answers: list[Answers] = list(answers)
        self.requests: list[Asked] = []
        self.names: list[str | None] = []  # the server names TLS clients asked for
        self.port = 0
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @asynccontextmanager
    async def running(self, *, tls: ssl.SSLContext | None = None) -> AsyncIterator["ProviderServer"]:
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._busy):
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            try:
                again = True
                while again:
                    asked = await _asked(reader)
                    self.requests.append(asked)
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    again = await answer.send(writer, asked)
            finally:
                writer.close()


async def _asked(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method=method, target=target, headers=headers, raw=raw)


async def _head(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], length: int) -> None:
    lines: Sequence[str] = [f"{name}: {value}" for name, value in {"content-length": str(length), **headers}.items()]
    await _raw(writer, "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode("latin-1"))


async def _raw(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
