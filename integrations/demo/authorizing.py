"""The demonstration's authorization server: consent page, tokens, revocation, introspection.

One client, one way: authorization code with PKCE S256. A request whose redirect is not exactly Joule's own gets a page
and is sent nowhere.
"""

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.demo import ACCOUNT, CALLBACK, CLIENT_ID, CLIENT_SECRET, pages
from integrations.demo.consents import SCOPES, Consents, Issued, Refused

LOOPBACK = frozenset({"127.0.0.1", "localhost"})
MOST_BYTES = 16 * 1024
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_STATE = re.compile(r"[!-~]{16,512}")

Form = Mapping[str, list[str]]


class Authorizing:
    """The endpoints. `redirects` are further addresses of Joule's callback, besides that on this computer."""

    def __init__(self, *, consents: Consents, redirects: tuple[str, ...] = ()) -> None:
        self._consents, self._redirects = consents, frozenset(redirects)
        self.account = ACCOUNT

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/oauth/authorize", self.ask, methods=["GET"]),
            Route("/oauth/authorize", self.answer, methods=["POST"]),
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/oauth/introspect", self.introspect, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        given = request.query_params
        redirect, state = given.get("redirect_uri", ""), given.get("state", "")
        if len(given.multi_items()) != len(given) or given.get("client_id") != CLIENT_ID or not self._is_ours(redirect):
            words = "It did not come from the Joule on this computer, so it was not sent on anywhere."
            return pages.notice("This request cannot be used", words, status=400)
        if not _STATE.fullmatch(state):
            return pages.notice("This request cannot be used", "It carries no state of its own.", status=400)
        if given.get("response_type") != "code":
            return _back(redirect, error="unsupported_response_type", state=state)
        challenge = given.get("code_challenge", "")
        if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            return _back(redirect, error="invalid_request", state=state)
        scopes = tuple(dict.fromkeys(given.get("scope", "").split()))
        if not scopes or not set(scopes) <= set(SCOPES):
            return _back(redirect, error="invalid_scope", state=state)
        ticket = self._consents.ask(redirect_uri=redirect, state=state, challenge=challenge, scopes=scopes)
        return pages.consent(ticket, scopes, redirect)

    async def answer(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return pages.notice("This answer cannot be used", "It came from another page.", status=403)
        try:
            form = await _form(request)
            asked = self._consents.answered(_one(form, "ticket"))
        except Refused:
            words = "It was answered already or took too long. Start again in Joule, under Integrations."
            return pages.notice("This page can no longer be used", words, status=400)
        chosen = tuple(form.get("scope", []))
        if _one(form, "answer") != "allow" or not set(chosen) & set(asked.scopes):
            return _back(asked.redirect_uri, error="access_denied", state=asked.state)
        return _back(asked.redirect_uri, code=self._consents.allow(asked, chosen), state=asked.state)

    async def token(self, request: Request) -> Response:
        return await _answered(request, self._token)

    async def revoke(self, request: Request) -> Response:
        return await _answered(request, self._revoke)

    async def introspect(self, request: Request) -> Response:
        return await _answered(request, lambda form: self._consents.introspected(_one(form, "token")))

    def _token(self, form: Form) -> Mapping[str, object]:
        kind = _one(form, "grant_type")
        if kind == "authorization_code":
            verifier = _one(form, "code_verifier")
            if not _VERIFIER.fullmatch(verifier):
                raise Refused("invalid_request")
            code, redirect = _one(form, "code"), _one(form, "redirect_uri")
            return _told(self._consents.exchange(code=code, verifier=verifier, redirect_uri=redirect), self.account)
        if kind == "refresh_token":
            scopes = tuple(_one(form, "scope").split()) if "scope" in form else None
            return _told(self._consents.renew(_one(form, "refresh_token"), scopes), self.account)
        raise Refused("unsupported_grant_type")

    def _revoke(self, form: Form) -> Mapping[str, object]:
        self._consents.revoke(_one(form, "token"))
        return {}

    def _is_ours(self, redirect: str) -> bool:
        """Joule's own callback: on this computer at any port, or where the operator said it is."""
        if redirect in self._redirects:
            return True
        try:
            parts = urlsplit(redirect)
            plain = f"http://{parts.hostname}:{parts.port}{CALLBACK}"
        except ValueError:
            return False
        return parts.hostname in LOOPBACK and redirect == plain


def _back(redirect: str, **told: str) -> Response:
    answer = RedirectResponse(f"{redirect}?{urlencode(told)}", status_code=303)
    answer.headers.update(pages.headers())
    return answer


async def _answered(request: Request, act: Callable[[Form], Mapping[str, object]]) -> Response:
    """What `act` says to an authenticated client's form, or an OAuth error."""
    try:
        form = await _form(request)
        _authenticate(request, form)
        return JSONResponse(dict(act(form)), headers=pages.headers())
    except Refused as refused:
        status = 401 if refused.error == "invalid_client" else 400
        more = {"WWW-Authenticate": "Basic"} if status == 401 else {}
        return JSONResponse({"error": refused.error}, status_code=status, headers={**pages.headers(), **more})


def _authenticate(request: Request, form: Form) -> None:
    """Basic, its parts form-encoded as RFC 6749 has it, or in the form. Raises `Refused`."""
    scheme, _, packed = request.headers.get("authorization", "").partition(" ")
    name, secret = form.get("client_id", [""])[0], form.get("client_secret", [""])[0]
    if scheme.lower() == "basic":
        try:
            told = base64.b64decode(packed, validate=True).decode()
        except ValueError:
            raise Refused("invalid_client") from None
        name, _, secret = (unquote_plus(part) for part in told.partition(":"))
    right = hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode())
    if name != CLIENT_ID or not right:
        raise Refused("invalid_client")


async def _form(request: Request) -> Form:
    """A small urlencoded form. Raises `Refused` for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Refused("invalid_request")
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MOST_BYTES:
            raise Refused("invalid_request")
    found: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=50):
            found.setdefault(name, []).append(value)
    except ValueError:
        raise Refused("invalid_request") from None
    return found


def _one(form: Form, name: str) -> str:
    """The value of a field that is there once. Raises `Refused`."""
    values = form.get(name, [])
    if len(values) != 1 or not values[0]:
        raise Refused("invalid_request")
    return values[0]


def _told(issued: Issued, account: str) -> dict[str, object]:
    return {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": issued.seconds,
        "refresh_token": issued.refresh,
        "scope": " ".join(issued.scopes),
        "account_name": account,
    }
