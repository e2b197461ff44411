"""An MCP server that wants a token, and its issuer, for the canary's day: every secret of theirs can be found again.

The server is as careless as servers are: it repeats the token it was shown, in its answers and in what it says of its tool.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

from joule.bench._errands import Person, expect
from joule.bench._planted import Planted
from joule.bench._rotating import Rotating
from joule.bench._scripted import SERVED
from joule.bench._visitor import Answer
from joule.kernel.errors import Unavailable

LIST = "/admin/integrations/mcp"
TOOL, SCOPE = "figures", "figures.read"
_SERVER = re.compile(r"/mcp/servers/([0-9a-f-]{36})/sign-in")
_SWITCH = re.compile(r'/mcp/tools/([0-9a-f-]{36})".*?name="pin" value="([0-9a-f]+)"', re.DOTALL)


@dataclass(kw_only=True)
class Guarded(Rotating):
    """Both at one address of loopback. `shown` are the tokens it was brought."""

    planted: Planted
    shown: set[str] = field(default_factory=set)
    used: int = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def mint(self) -> dict[str, object]:
        self.minted += 1
        self.access = self.planted.secret(f"access token {self.minted} for an MCP server")
        self.refresh = self.planted.secret(f"refresh token {self.minted} for an MCP server")
        kept = {"access_token": self.access, "refresh_token": self.refresh}
        return {**kept, "token_type": "Bearer", "expires_in": 3600, "scope": SCOPE}

    async def answer(self, path: str, body: bytes, authorization: str) -> tuple[int, dict[str, object]]:
        if path.startswith("/.well-known/"):
            return 200, self._published(path)
        if path == "/register":
            asked = json.loads(body)
            told = {"client_id": "ours", "client_secret": self.planted.secret("client secret from an issuer")}
            return 201, {**told, "token_endpoint_auth_method": "client_secret_basic", **_kept(asked)}
        if path != "/mcp":
            self._note(body, authorization)
            return await super().answer(path, body, authorization)
        if not authorization.endswith(self.access or "nothing"):
            return 401, {"error": "invalid_token", "error_description": authorization}
        self.shown.add(authorization)
        asked = json.loads(body or b"{}")
        if "id" not in asked:
            return 202, {}
        return 200, {"jsonrpc": "2.0", "id": asked["id"], "result": self._result(asked["method"], authorization)}

    def _published(self, path: str) -> dict[str, object]:
        if "protected-resource" in path:
            return {"resource": f"{self.base}/mcp", "authorization_servers": [self.base], "scopes_supported": [SCOPE]}
        return {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/oauth/token",
            "revocation_endpoint": f"{self.base}/oauth/revoke",
            "registration_endpoint": f"{self.base}/register",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def _note(self, body: bytes, authorization: str) -> None:
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if "code_verifier" in given:
            self.planted.note_secret("verifier for an MCP server", given["code_verifier"])
        _, _, secret = base64.b64decode(authorization.partition(" ")[2] or b"").decode().partition(":")
        if secret:
            self.planted.note_secret("client secret as an issuer got it", unquote_plus(secret))

    def _result(self, method: str, authorization: str) -> dict[str, Any]:
        if method == "initialize":
            about = {"name": "careless", "version": "1"}
            return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": about}
        if method == "tools/list":
            schema = {"type": "object", "properties": {}, "description": "Takes nothing."}
            tool = {"name": TOOL, "description": "Last week's figures.", "inputSchema": schema}
            return {"tools": [{**tool, "annotations": {"readOnlyHint": True}}]}
        self.used += 1
        return {"content": [{"type": "text", "text": f"41 clicks, asked for with {authorization}"}]}


def _kept(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: asked[name] for name in ("redirect_uris", "grant_types", "response_types") if name in asked}


async def servers(owner: Person, planted: Planted, served: Guarded) -> tuple[str, list[Answer]]:
    """Signed in to, used in a task and signed out of; the task, and the pages an admin saw meanwhile."""
    visitor = owner.visitor
    expect(await visitor.form(LIST, url=f"{served.base}/mcp", title="Figures"), 303)
    (server,) = set(_SERVER.findall((await visitor.get(LIST)).text)) or {""}
    here = f"{LIST}/servers/{server}"
    answer = await visitor.send("POST", f"{here}/sign-in", b"", {**_FORM, "HX-Request": "true"})
    expect(answer, 200)
    address = {name.lower(): value for name, value in answer.headers.items()}.get("hx-redirect", "")
    state = planted.note_secret("state for an MCP server", dict(parse_qsl(urlsplit(address).query))["state"])
    brought = urlencode({"code": planted.secret("code for an MCP server"), "state": state, "iss": served.base})
    expect(await visitor.get(f"/integrations/callback/mcp_{server.replace('-', '')}?{brought}"), 303)
    seen = [await visitor.get(LIST), await visitor.get(f"{here}/sign-in")]
    (tool, pin) = (_SWITCH.findall(seen[0].text) or [("", "")])[0]
    expect(await visitor.form(f"{LIST}/tools/{tool}", pin=pin, state="allow"), 303)
    project = str((await owner.api("GET", "/projects"))[0]["project"])
    task = await owner.say(project, f"{SERVED} for its figures")
    await owner.until(task, "done")
    if not served.used or not served.shown:
        raise Unavailable("an MCP server that is signed in to and used")
    expect(await visitor.form(f"{here}/sign-out"), 303)
    return task, [*seen, await visitor.get(LIST)]


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
