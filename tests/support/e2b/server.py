"""A server on loopback that speaks as E2B does, as far as Joule asks it; each of its machines is a sandbox of this one.

The wire of processes is the real library's own server side. Troubles are made on purpose: see `Troubles`.
"""

import asyncio
import json
import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote_plus
from uuid import uuid4

import uvicorn
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from e2b.envd.process.process_connect import ProcessASGIApplication
from e2b.envd.process.process_pb import ProcessEvent, SendSignalResponse, StartResponse
from protobuf import Oneof
from python_multipart import parse_form

from joule.kernel.clock import Clock, SystemClock
from sandbox.contract import Exited, Killer, SandboxSpec
from sandbox.errors import PathRefused, SandboxGone
from sandbox.local.backend import LocalBackend
from sandbox.local.session import LocalSandbox
from tests.support.clock import StoppedClock

KEY = "e2b_test_key"
_LONG = SandboxSpec(ttl_seconds=86_400)


@dataclass(kw_only=True)
class Troubles:
    """What goes wrong with the next calls of a kind: a status, `cut` (no answer), `late` (a silence), or `ok`."""

    on: dict[str, deque[int | str]] = field(default_factory=dict)
    cut_output_after: int | None = None  # events of the next command
    keeps_the_way_out: bool = False  # as a server that knows no `allow_internet_access`
    ignores_deadlines: bool = False

    def then(self, kind: str, *what: int | str) -> None:
        self.on.setdefault(kind, deque()).extend(what)

    def next(self, kind: str) -> int | str:
        waiting = self.on.get(kind)
        return waiting.popleft() if waiting else "ok"


@dataclass(kw_only=True)
class Machine:
    """One of its sandboxes."""

    id: str
    inside: LocalSandbox
    metadata: dict[str, str]
    internet: bool
    started: datetime
    ends: datetime
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    template: str = "base"


class E2bServer:
    """The server. `seen` counts the calls by kind; `asked` are the bodies of what was asked for."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self.machines: dict[str, Machine] = {}
        self.by_key: dict[str, str] = {}
        self.troubles = Troubles()
        self.seen: Counter[str] = Counter()
        self.asked: list[dict[str, Any]] = []
        self._jail = LocalBackend(clock=StoppedClock())
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["E2bServer"]:
        server = uvicorn.Server(uvicorn.Config(self, port=0, log_level="critical", lifespan="off", loop="none"))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server._serve())
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.005)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            await self._jail.close()
            server.should_exit = server.force_exit = True
            await serving

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        if scope["path"].startswith(("/process.Process/", "/files", "/health")):
            await self._inside(scope, receive, send, headers)
            return None
        if headers.get("x-api-key") != KEY:
            return await _answer(send, 401, {"code": 401, "message": "Invalid API key"})
        status, body = await self._control(scope, await _body(receive), headers)
        await _answer(send, status, body)

    async def _control(self, scope: Any, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        method, path = scope["method"], scope["path"]
        asked = json.loads(body) if body else {}
        parts = path.strip("/").split("/")
        name = parts[-1] if parts[-1] in {"connect", "timeout", "metrics"} else ""
        kind = {
            "POST": name or "create",
            "DELETE": "kill",
            "GET": name or ("list" if parts[-1] == "sandboxes" else "info"),
        }
        kind_of = kind[method]
        self.seen[kind_of] += 1
        trouble = self.troubles.next(kind_of)
        if isinstance(trouble, int):
            return trouble, {"code": trouble, "message": "as the test wants it"}
        if trouble == "late":
            await asyncio.sleep(60)
        answer = await getattr(self, f"_{kind_of}")(parts, asked, headers, scope)
        if trouble == "cut":
            raise ConnectionAbortedError  # after it was done
        return answer

    async def _create(self, parts: Any, asked: Any, headers: dict[str, str], scope: Any) -> tuple[int, Any]:
        self.asked.append(asked)
        key = headers.get("idempotency-key", uuid4().hex)
        known = self.machines.get(self.by_key.get(key, ""))
        if known is None:
            now = self._clock.now()
            known = Machine(
                id=f"i{uuid4().hex[:20]}",
                inside=await self._jail.create(_LONG, key=uuid4().hex),
                metadata=asked.get("metadata", {}),
                internet=self.troubles.keeps_the_way_out or asked.get("allow_internet_access", True),
                started=now,
                ends=now + timedelta(seconds=asked["timeout"]),
                template=asked["templateID"],
            )
            self.machines[known.id], self.by_key[key] = known, known.id
        return 201, self._made(known)

    async def _connect(self, parts: Any, asked: Any, headers: Any, scope: Any) -> tuple[int, Any]:
        found = self._alive(parts[-2])
        if found is None:
            return 404, {"code": 404, "message": "not found"}
        found.ends = max(found.ends, self._clock.now() + timedelta(seconds=asked["timeout"]))
        return 200, self._made(found)

    async def _timeout(self, parts: Any, asked: Any, headers: Any, scope: Any) -> tuple[int, Any]:
        found = self._alive(parts[-2])
        if found is None:
            return 404, {"code": 404, "message": "not found"}
        found.ends = self._clock.now() + timedelta(seconds=asked["timeout"])
        return 204, None

    async def _kill(self, parts: Any, asked: Any, headers: Any, scope: Any) -> tuple[int, Any]:
        found = self.machines.pop(parts[-1], None)
        if found is None:
            return 404, {"code": 404, "message": "not found"}
        await found.inside.kill()
        return 204, None

    async def _info(self, parts: Any, asked: Any, headers: Any, scope: Any) -> tuple[int, Any]:
        found = self._alive(parts[-1])
        return (200, self._told(found)) if found else (404, {"code": 404, "message": "not found"})

    async def _list(self, parts: Any, asked: Any, headers: Any, scope: Any) -> tuple[int, Any]:
        wanted = parse_qs(unquote_plus(parse_qs(scope["query_string"].decode()).get("metadata", [""])[0]))
        alive = [each for each in map(self._alive, list(self.machines)) if each is not None]
        return 200, [
            self._told(each)
            for each in alive
            if all(each.metadata.get(name) == value[0] for name, value in wanted.items())
        ]

    async def _metrics(self, parts: Any, asked: Any, headers: Any, scope: Any) -> tuple[int, Any]:
        found = self._alive(parts[-2])
        if found is None:
            return 404, {"code": 404, "message": "not found"}
        used, now = await found.inside.usage(), self._clock.now()
        return 200, [
            {
                "timestamp": now.isoformat(),
                "timestampUnix": int(now.timestamp()),
                "cpuCount": 2,
                "cpuUsedPct": 0.0,
                "memUsed": used.memory_bytes,
                "memTotal": 2**29,
                "memCache": 0,
                "diskUsed": used.disk_bytes,
                "diskTotal": 2**30,
            }
        ]

    def _alive(self, name: str) -> Machine | None:
        found = self.machines.get(name)
        return None if found is None or found.ends <= self._clock.now() or found.inside.is_gone else found

    def _made(self, found: Machine) -> dict[str, Any]:
        return {
            "templateID": found.template,
            "sandboxID": found.id,
            "clientID": "test",
            "envdVersion": "0.6.4",
            "envdAccessToken": found.token,
        }

    def _told(self, found: Machine) -> dict[str, Any]:
        return {
            **self._made(found),
            "startedAt": found.started.isoformat(),
            "endAt": found.ends.isoformat(),
            "cpuCount": 2,
            "memoryMB": 512,
            "diskSizeMB": 1024,
            "state": "running",
            "metadata": found.metadata,
            "allowInternetAccess": found.internet,
        }

    async def _inside(self, scope: Any, receive: Any, send: Any, headers: dict[str, str]) -> None:
        found = self._alive(headers.get("e2b-sandbox-id", ""))
        kind = scope["path"].rpartition("/")[2].lower()
        self.seen[kind] += 1
        if found is None:
            return await _answer(send, 502, {"message": "The sandbox was not found", "code": 502})
        if headers.get("x-access-token") != found.token:
            return await _answer(send, 401, {"code": 401, "message": "unauthorized"})
        trouble = self.troubles.next(kind)
        if isinstance(trouble, int):
            return await _answer(send, trouble, {"message": "as the test wants it", "code": trouble})
        if kind == "files":
            return await _files(found, scope, receive, send)
        if kind == "health":
            return await _answer(send, 204, None)
        cut = self.troubles.cut_output_after if kind == "start" else None
        if cut is not None:
            self.troubles.cut_output_after = None
            send = _breaking(send, cut)
        service = _Processes(found, ignores_deadlines=self.troubles.ignores_deadlines)
        return await ProcessASGIApplication(service)(scope, receive, send)  # type: ignore[arg-type]


class _Processes:
    """The processes of one machine."""

    def __init__(self, machine: Machine, *, ignores_deadlines: bool) -> None:
        self._inside, self._ignores = machine.inside, ignores_deadlines

    async def start(self, request: Any, context: Any, /) -> AsyncIterator[StartResponse]:
        process = request.process
        yield _event("start", ProcessEvent.StartEvent(pid=7))
        left = context.timeout_ms
        wall = None if left is None or self._ignores else left / 1000
        argv = ["/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", process.cwd or ".", process.cmd, *process.args]
        try:
            events: Any = self._inside.execute(argv, environment=dict(process.envs), wall_seconds=wall)
            async with aclosing(events):
                async for each in events:
                    if isinstance(each, Exited):
                        if each.killed_by is Killer.WALL:
                            raise ConnectError(Code.DEADLINE_EXCEEDED, "the time is over")
                        code = -1 if each.code is None else each.code
                        yield _event("end", ProcessEvent.EndEvent(exit_code=code, exited=each.code is not None))
                    else:
                        yield _event("data", ProcessEvent.DataEvent(output=Oneof(each.stream, each.data)))
        except SandboxGone:
            raise ConnectError(Code.UNAVAILABLE, "the connection to sandbox ended") from None

    async def send_signal(self, request: Any, context: Any, /) -> SendSignalResponse:
        await self._inside._wire.send(b".")  # it ends whatever runs
        return SendSignalResponse()

    def __getattr__(self, name: str) -> Any:
        async def unknown(*_: Any) -> Any:
            raise ConnectError(Code.UNIMPLEMENTED, name)

        return unknown


def _event(kind: Any, value: Any) -> StartResponse:
    return StartResponse(event=ProcessEvent(event=Oneof(kind, value)))


async def _files(found: Machine, scope: Any, receive: Any, send: Any) -> None:
    path = parse_qs(scope["query_string"].decode()).get("path", [""])[0]
    if scope["method"] == "GET":
        try:
            content = await found.inside.read(path.removeprefix("/workspace/"), limit=2**26)
        except PathRefused:
            return await _answer(send, 404, {"code": 404, "message": "not found"})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x")]})
        return await send({"type": "http.response.body", "body": content})
    body, headers = await _body(receive), dict(scope["headers"])
    written: list[tuple[str, bytes]] = []
    if headers.get(b"content-type", b"").startswith(b"multipart/"):
        import io

        def take(file: Any) -> None:
            file.file_object.seek(0)
            written.append((path or file.file_name.decode(), file.file_object.read()))

        parse_form({"Content-Type": headers[b"content-type"]}, io.BytesIO(body), lambda _: None, take)
    else:
        written.append((path, body))
    for name, content in written:
        if name.startswith("/workspace/"):
            await found.inside.write(name.removeprefix("/workspace/"), content)
        else:
            argv = ["/bin/sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", name]
            async for _ in found.inside.execute(argv, stdin=content):
                pass
    await _answer(send, 200, [{"name": name.rpartition("/")[2], "type": "file", "path": name} for name, _ in written])


def _breaking(send: Any, after: int) -> Any:
    """Sends so many parts of a body, and then breaks the line."""
    sent = 0

    async def breaking(message: Any) -> None:
        nonlocal sent
        sent += message["type"] == "http.response.body"
        if sent > after:
            raise ConnectionAbortedError
        await send(message)

    return breaking


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _answer(send: Any, status: int, body: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    content = b"" if body is None else json.dumps(body).encode()
    with suppress(OSError):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


__all__ = ["KEY", "E2bServer", "Machine", "Troubles"]
