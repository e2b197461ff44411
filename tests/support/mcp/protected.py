"""A server of the MCP project's own library that takes nobody without a token, and asks the issuer what each token is good for."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.oidc import Peer

READ, WRITE = "ads.read", "ads.write"


@dataclass(kw_only=True)
class Protected:
    """The server. `tokens` are those that were shown to it, `written` what was written with it.

    `takes_nobody`: it refuses whatever it is shown, as one does whose operator has locked somebody out.
    """

    issuer: str
    port: int
    tokens: list[str] = field(default_factory=list)
    audiences: list[str | None] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    takes_nobody: bool = False
    refuses: set[str] = field(default_factory=set)
    demanding: set[str] = field(default_factory=lambda: {"note"})  # tools that want a scope of their own
    _scopes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the issuer says of a token (RFC 7662)."""
        self.tokens.append(token)
        if self.takes_nobody or token in self.refuses:
            return None
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            answer = await client.post(
                f"{self.issuer}/token/introspection", data={"token": token}, auth=("basic", "s3cret")
            )
        said = answer.json()
        self.audiences.append(said.get("aud"))
        if not said["active"]:
            return None
        self._scopes[token] = said.get("scope", "").split()
        return AccessToken(
            token=token, client_id=said["client_id"], scopes=self._scopes[token], resource=said.get("aud")
        )

    def app(self) -> ASGIApp:
        """The server at /mcp, with the documents it publishes."""
        server = MCPServer(
            "Protected",
            token_verifier=self,
            auth=AuthSettings.model_validate(  # as text: the issuer's name must stay letter for letter
                {
                    "issuer_url": self.issuer,
                    "resource_server_url": self.url,
                    "required_scopes": [READ],
                    "validate_token_resource": True,
                }
            ),
        )

        @server.tool(annotations=ToolAnnotations(read_only_hint=True))
        def figures() -> str:
            """Last week's figures."""
            return f"41 clicks, asked for with {self.tokens[-1]}"  # as careless servers repeat what they were shown

        @server.tool()
        def note(text: str) -> str:
            """Keeps a note."""
            self.written.append(text)
            return "kept"

        return self._demanding(server.streamable_http_app(stateless_http=True, json_response=True))

    def _demanding(self, app: ASGIApp) -> ASGIApp:
        """Writing wants a scope of its own, which the library cannot demand of one tool alone."""

        async def demanding(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] != "POST":
                await app(scope, receive, send)
                return
            body = b""
            while True:
                part = await receive()
                body += part.get("body", b"")
                if not part.get("more_body"):
                    break
            token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
            asked = json.loads(body)
            writes = asked.get("method") == "tools/call" and asked["params"]["name"] in self.demanding
            if writes and WRITE not in self._scopes.get(token, []):
                said = f'Bearer error="insufficient_scope", scope="{READ} {WRITE}"'.encode()
                headers = [(b"www-authenticate", said), (b"content-length", b"0")]
                await send({"type": "http.response.start", "status": 403, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
                return
            told = False

            async def again() -> Message:
                nonlocal told
                if told:
                    return await receive()
                told = True
                return {"type": "http.request", "body": body, "more_body": False}

            await app(scope, again, send)

        return demanding


@asynccontextmanager
async def running_protected(peer: Peer) -> AsyncIterator[Protected]:
    """The server on a free port of loopback, with `peer` as its issuer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Protected(issuer=peer.issuer, port=listening.getsockname()[1])
        server = uvicorn.Server(uvicorn.Config(found.app(), http="h11", ws="none", lifespan="on", log_config=None))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield found
        finally:
            server.should_exit = True
            await running
