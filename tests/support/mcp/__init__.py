"""MCP servers to talk to: the MCP project's own example as it comes from npm, and a hostile one of ours."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

HERE = Path(__file__).parent
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


@contextmanager
def running_example() -> Iterator[int]:
    """Starts the example server on a free port of loopback; `tools/setup.sh --browser` has installed what it needs."""
    assert (HERE / "node_modules").is_dir(), "run tools/setup.sh --browser: the MCP peer is not installed"
    process = Popen(
        ["node", "--no-warnings", "peer.mjs"],
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        stdout=PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["port"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


def tool(name: str = "note", description: str = "Keeps a note.", **more: Any) -> dict[str, Any]:
    """A tool as a server lists it."""
    return {"name": name, "description": description, "inputSchema": SCHEMA, **more}


@dataclass(kw_only=True)
class Hostile:
    """A server that does as the test says. `called` are the arguments its tools were called with."""

    tools: list[dict[str, Any]] = field(default_factory=lambda: [tool()])
    answer: Any = "noted"
    wants_token: bool = False
    redirects_to: str | None = None
    challenge: str = "Bearer"
    resource: str | None = None
    issuer: str | None = None
    issuer_says: str | None = None
    published: dict[str, Any] = field(default_factory=dict)
    redirects_documents_to: str | None = None
    registered: dict[str, Any] = field(default_factory=lambda: {"client_id": "made-up"})
    token_answer: Any = None
    asked_for_tokens: list[dict[str, str]] = field(default_factory=list)
    endless: bool = False
    called: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> Starlette:
        """The server, at /mcp, with the documents a server that wants a token publishes."""
        return Starlette(
            routes=[
                Route("/mcp", self._mcp, methods=["POST", "GET", "DELETE"]),
                Route("/.well-known/oauth-protected-resource/mcp", self._resource),
                Route("/.well-known/oauth-authorization-server", self._issuer),
                Route("/register", self._register, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _mcp(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        if self.redirects_to is not None:
            return RedirectResponse(self.redirects_to, status_code=307)
        if self.wants_token:
            return Response(status_code=401, headers={"WWW-Authenticate": self.challenge})
        asked = await request.json()
        if "id" not in asked:
            return Response(status_code=202)
        found = self._result(asked["method"], asked.get("params") or {})
        if found is None:
            return JSONResponse(
                {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "SECRET-WORDS"}}
            )
        return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "result": found})

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if method == "initialize":
            about = {"name": "hostile", "version": "1"}
            return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": about}
        if method == "tools/list":
            return {"tools": self.tools, **({"nextCursor": "more"} if self.endless else {})}
        if method == "tools/call":
            self.called.append(params.get("arguments"))
            return {"content": [{"type": "text", "text": self.answer}]}
        return None

    async def _resource(self, request: Request) -> Response:
        if self.redirects_documents_to is not None:
            return RedirectResponse(self.redirects_documents_to, status_code=302)
        base = f"{request.url.scheme}://{request.url.netloc}"
        return JSONResponse(
            {"resource": self.resource or f"{base}/mcp", "authorization_servers": [self.issuer or base]}
        )

    async def _register(self, request: Request) -> Response:
        return JSONResponse(self.registered, status_code=201)

    async def _token(self, request: Request) -> Response:
        self.asked_for_tokens.append({name: str(value) for name, value in (await request.form()).items()})
        return JSONResponse(self.token_answer)

    async def _issuer(self, request: Request) -> Response:
        base = f"{request.url.scheme}://{request.url.netloc}"
        return JSONResponse(
            {
                "issuer": self.issuer_says or base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "registration_endpoint": f"{base}/register",
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                **self.published,
            }
        )
