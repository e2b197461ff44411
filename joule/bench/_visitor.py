"""A browser for measurements: speaks plain HTTP to a real `joule web`, with the one cookie and no page of its own."""

import asyncio
import http.client
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from joule.kernel.errors import Unavailable
from joule.kernel.settings import Settings

LONGEST_ANSWER = 30.0  # seconds; live streams of tasks that do not end are cut off there


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass(kw_only=True)
class Visitor:
    """One browser at one address."""

    port: int
    cookie: str = field(default="", repr=False)

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)

    async def form(self, path: str, **fields: str) -> Answer:
        """Send a form, as the pages do without a script."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.send("POST", path, urlencode(fields).encode(), kind)

    async def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, from our own pages. Keeps the cookie that comes back; follows nothing."""
        return await asyncio.to_thread(self._send, method, path, body, dict(headers or {}))

    async def sign_in(self, token: str) -> str:
        """Use a sign-in link; returns the session's token."""
        await self.form("/sign-in/link", token=token)
        return self.cookie.partition("=")[2]

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_ANSWER)
        try:
            carried = {"Cookie": self.cookie} if self.cookie else {}
            own = {"Origin": f"http://127.0.0.1:{self.port}"}
            connection.request(method, path, body, {**headers, **carried, **own})
            answer = connection.getresponse()
            read = _read(answer)
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    self.cookie = value.partition(";")[0]
            return Answer(status=answer.status, headers=dict(answer.getheaders()), body=read)
        finally:
            connection.close()


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The body; of a stream what came of it in time."""
    parts, deadline = [], time.monotonic() + LONGEST_ANSWER
    try:
        while time.monotonic() < deadline and (part := answer.read1(65536)):
            parts.append(part)
    except (TimeoutError, http.client.HTTPException):
        pass
    return b"".join(parts)


@asynccontextmanager
async def web_process(settings: Settings, *, log: Path, temporary: Path) -> AsyncIterator[int]:
    """A real `joule web` over these settings; gives its port. All it writes goes to `log`, at DEBUG."""
    database = settings.database
    if database.url is None:
        raise Unavailable("the database")
    port = _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JOULE_")},
        "JOULE_HOME": str(settings.home),
        "JOULE_ENVIRONMENT": settings.environment,
        "JOULE_DATABASE_URL": database.url.get_secret_value(),
        "JOULE_VAULT_KEY_FILE": str(settings.key_file),
        "JOULE_WEB_MAX_UPLOAD_MB": "1",
        "JOULE_INTEGRATIONS_DEMO_PORT": str(settings.integrations.demo_port),
        "JOULE_INTEGRATIONS_MCP_PORT": str(settings.integrations.mcp_port),
        "JOULE_INTEGRATIONS_MCP_ISSUER_PORT": str(settings.integrations.mcp_issuer_port),
        "JOULE_LOG_LEVEL": "DEBUG",
        "PYTHONWARNINGS": "default",
        "TMPDIR": str(temporary),
    }
    command = [sys.executable, "-m", "joule.cli", "web", "--port", str(port)]
    with log.open("ab") as written:
        process = await asyncio.create_subprocess_exec(*command, stdout=written, stderr=written, env=environment)
    try:
        await _answering(port, process)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answering(port: int, process: asyncio.subprocess.Process) -> None:
    visitor, deadline = Visitor(port=port), time.monotonic() + 60
    while process.returncode is None and time.monotonic() < deadline:
        try:
            if (await visitor.get("/healthz")).status == 200:
                return
        except OSError:
            await asyncio.sleep(0.1)
    raise Unavailable("joule web")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
