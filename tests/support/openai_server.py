"""A server on loopback that speaks the OpenAI chat-completions wire format over a real socket.

It answers with the replies it was given, in order, and keeps every request it got. A reply says exactly which bytes go
over the wire, so that a test can have a stream break off in the middle of a word.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.raw)
        return read


class Reply(Protocol):
    """What goes back for one request."""

    async def send(self, writer: asyncio.StreamWriter) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Calls:
    """A tool call as the model makes it: `fragments` are its arguments as they are cut on the wire."""

    id: str
    name: str
    fragments: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Says:
    """A whole answer: text pieces, then tool calls, an end, the usage."""

    pieces: Sequence[str] = ()
    calls: Sequence[Calls] = ()
    finish: str | None = None
    usage: tuple[int, int] | None = (11, 7)
    pause: float = 0.0  # seconds between pieces
    ends_well: bool = True  # the end of the stream is said

    async def send(self, writer: asyncio.StreamWriter) -> None:
        await _begin_stream(writer)
        for piece in self.pieces:
            await _event(writer, _chunk({"role": "assistant", "content": piece}))
            await asyncio.sleep(self.pause)
        for place, call in enumerate(self.calls):
            head = {"index": place, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
            await _event(writer, _chunk({"tool_calls": [head]}))
            for fragment in call.fragments:
                rest = {"index": place, "function": {"arguments": fragment}}
                await _event(writer, _chunk({"tool_calls": [rest]}))
        if not self.ends_well:
            return
        await _event(writer, _chunk({}, finish=self.finish or ("tool_calls" if self.calls else "stop")))
        if self.usage is not None:
            read, written = self.usage
            usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
            await _event(writer, {**_chunk({}), "choices": [], "usage": usage})
        await _raw(writer, b"data: [DONE]\n\n")


@dataclass(frozen=True, kw_only=True)
class BreaksOff:
    """An answer whose connection is cut: nothing more comes after `pieces`, not even the end of the HTTP body."""

    pieces: Sequence[str] = ("Half an ",)

    async def send(self, writer: asyncio.StreamWriter) -> None:
        await _begin_stream(writer, length=1_000_000)
        for piece in self.pieces:
            await _event(writer, _chunk({"content": piece}))


@dataclass(frozen=True, kw_only=True)
class Fails:
    """An error, in the format of the provider."""

    status: int
    message: str = "it did not work"
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"error": {"message": self.message, "type": "error", "code": self.code}}).encode()
        head = {"content-type": "application/json", "content-length": str(len(body)), **self.headers}
        await _head(writer, self.status, head)
        await _raw(writer, body)


@dataclass(frozen=True, kw_only=True)
class Embeds:
    """Vectors for what was asked, in the order of `places`, each with its place."""

    vectors: Sequence[Sequence[float]]
    places: Sequence[int] | None = None
    tokens: int = 5

    async def send(self, writer: asyncio.StreamWriter) -> None:
        places = range(len(self.vectors)) if self.places is None else self.places
        made = [
            {"object": "embedding", "index": at, "embedding": list(vector)}
            for at, vector in zip(places, self.vectors, strict=True)
        ]
        usage = {"prompt_tokens": self.tokens, "total_tokens": self.tokens}
        body = json.dumps({"object": "list", "data": made, "model": "test-model", "usage": usage}).encode()
        await _head(writer, 200, {"content-type": "application/json", "content-length": str(len(body))})
        await _raw(writer, body)


@dataclass(frozen=True, kw_only=True)
class Hangs:
    """Takes the request and says nothing more; with `pieces`, falls silent in the middle of an answer."""

    pieces: Sequence[str] = ()

    async def send(self, writer: asyncio.StreamWriter) -> None:
        if self.pieces:
            await _begin_stream(writer)
        for piece in self.pieces:
            await _event(writer, _chunk({"content": piece}))
        await asyncio.sleep(3600)


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """Bytes that are no answer: `events` stand in the stream as they are."""

    events: Sequence[bytes] = (b"data: {not json}\n\n",)

    async def send(self, writer: asyncio.StreamWriter) -> None:
        await _begin_stream(writer)
        for event in self.events:
            await _raw(writer, event)


class OpenAIServer:
    """The server. Give it `replies` before it is asked; look at `requests` afterwards."""

    def __init__(self, *replies: Reply) -> None:
        self.replies: list[Reply] = list(replies)
        self.requests: list[Received] = []
        self.connections = 0
        self.url = ""
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def bytes_received(self) -> int:
        return sum(len(each.raw) for each in self.requests)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["OpenAIServer"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}/v1"
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
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                self.requests.append(await _request(reader))
                reply = self.replies.pop(0) if self.replies else Fails(status=500, message="no reply was scripted")
                await reply.send(writer)
            finally:
                writer.close()


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, path=path, headers=headers, raw=raw)


async def _begin_stream(writer: asyncio.StreamWriter, *, length: int | None = None) -> None:
    extra = {"content-length": str(length)} if length is not None else {}
    await _head(writer, 200, {"content-type": "text/event-stream", **extra})


async def _head(writer: asyncio.StreamWriter, status: int, headers: dict[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} X", "connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    await _raw(writer, ("\r\n".join(lines) + "\r\n\r\n").encode())


async def _event(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    await _raw(writer, b"data: " + json.dumps(value).encode() + b"\n\n")


async def _raw(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def _chunk(delta: dict[str, Any], *, finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "test-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
