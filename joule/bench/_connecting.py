"""Accounts connected, used, renewed and ended through the pages, at a provider whose every secret can be found again.

The provider is as careless as providers are: it repeats tokens in its answers and in its errors.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joule.bench._errands import Person, expect
from joule.bench._planted import Planted
from joule.bench._rotating import SCOPES, Rotating
from joule.bench._visitor import Answer
from joule.kernel.errors import Unavailable

PATIENCE = 60.0  # seconds for the provider to be told
PAGE = "/admin/integrations/demo_crm"
BACK = "/integrations/callback/demo_crm"
_LINK = re.compile(r"/admin/connections/([0-9a-f-]{36})")


@dataclass(kw_only=True)
class Careless(Rotating):
    """The demonstration's addresses, with planted tokens."""

    planted: Planted
    refuses: bool = False  # the next call, whatever token it brings
    _codes: set[str] = field(default_factory=set)

    def code(self) -> str:
        """One more code, as the browser brings it back."""
        self._codes.add(made := self.planted.secret(f"authorization code {len(self._codes)}"))
        return made

    def mint(self) -> dict[str, object]:
        told = super().mint()
        self.access = self.planted.secret(f"access token {self.minted}")
        self.refresh = self.planted.secret(f"refresh token {self.minted}")
        return {**told, "access_token": self.access, "refresh_token": self.refresh}

    async def answer(self, path: str, body: bytes, authorization: str) -> tuple[int, dict[str, object]]:
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if "code_verifier" in given:
            self.planted.note_secret(f"verifier {self.minted}", given["code_verifier"])
        if given.get("grant_type") == "authorization_code":
            if given.get("code") in self._codes:
                return 200, self.mint()
            return 400, {"error": "invalid_grant", "error_description": f"never issued: {given}"}
        if path.startswith("/api/") and self.refuses:
            self.refuses = False
            return 401, {"error": "invalid_token", "error_description": authorization}
        status, told = await super().answer(path, body, authorization)
        if path == "/api/contacts" and status == 200:
            told = {"contacts": [{"id": "c-1", "name": authorization, "email": f"{self.access}@example.test"}]}
        return status, told


async def accounts(owner: Person, planted: Planted, provider: Careless) -> tuple[tuple[str, ...], list[Answer]]:
    """All of it; the tasks that used the account, and the pages an admin saw meanwhile."""
    visitor, secret = owner.visitor, planted.secret
    app = {"client_id": "ours", "client_secret": secret("client secret")}
    expect(await visitor.form("/admin/integrations/hubspot/client", **app), 303)
    await _be_refused(owner, planted)
    expect(
        await visitor.get(f"{BACK}?{urlencode({'code': provider.code(), 'state': await _set_out(owner, planted)})}"),
        303,
    )
    (connection,) = set(_LINK.findall((await visitor.get(PAGE)).text)) or {""}
    project = str((await owner.api("GET", "/projects"))[0]["project"])
    tasks = []
    for provider.refuses in (False, True):  # at the second it refuses the token, which is renewed
        tasks.append(await owner.say(project, "Show contacts from the demo CRM"))
        await owner.until(tasks[-1], "done")
    if not connection or provider.refreshes == 0:
        raise Unavailable("an account that is connected, used and renewed")
    here = f"/admin/connections/{connection}"
    seen = [
        await visitor.get(each)
        for each in ("/admin/integrations", PAGE, "/admin/integrations/hubspot", here, f"{here}/revoke")
    ]
    expect(await visitor.form(f"{here}/revoke", synced="keep"), 303)
    return tuple(tasks), [
        *seen,
        await _receipt(owner, here),
        await visitor.get(here),
        await visitor.get("/admin/audit"),
    ]


async def _set_out(owner: Person, planted: Planted) -> str:
    """The state under which the provider would send the browser back."""
    body = urlencode({"mode": "read", "scope": SCOPES}, doseq=True).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
    answer = await owner.visitor.send("POST", f"{PAGE}/connect", body, kind)
    expect(answer, 200)
    address = {name.lower(): value for name, value in answer.headers.items()}.get("hx-redirect", "")
    state = dict(parse_qsl(urlsplit(address).query))["state"]
    return planted.note_secret(f"state {state[:4]}", state)


async def _receipt(owner: Person, connection: str) -> Answer:
    """What is handed out once the provider has been told."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await owner.visitor.get(f"{connection}/receipt")
            if answer.status == 200 and json.loads(json.loads(answer.text)["receipt"])["final"]:
                return answer
            await asyncio.sleep(0.2)


async def _be_refused(owner: Person, planted: Planted) -> None:
    """Answers nobody asked for, each with a secret in it."""
    secret = planted.secret
    for query in (
        {"code": secret("code of a forged answer"), "state": secret("forged state")},
        {"access_token": secret("token in an address"), "state": secret("state beside a token")},
        {"code": secret("code never issued"), "state": await _set_out(owner, planted)},
        {"error": secret("error of a provider"), "state": await _set_out(owner, planted)},
    ):
        expect(await owner.visitor.get(f"{BACK}?{urlencode(query)}"), 303)
