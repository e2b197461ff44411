"""The demonstration as one small web application: its consent page and its API."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.demo import pages
from integrations.demo.authorizing import LOOPBACK, Authorizing
from integrations.demo.briefs import Briefs
from integrations.demo.consents import ACCESS_LIFE, Consents
from integrations.demo.customers import BadRequest, Customers, NoSuchThing

MOST_BYTES = 64 * 1024


def build_app(
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    access_life: timedelta = ACCESS_LIFE,
    redirects: tuple[str, ...] = (),
) -> Starlette:
    """The application, with everything it will ever know in memory. Its parts stand in `app.state` for tests."""
    consents, customers, briefs = Consents(now=now, access_life=access_life), Customers(now=now), Briefs()
    authorizing = Authorizing(consents=consents, redirects=redirects)
    app = Starlette(
        routes=[
            Route("/", _front),
            Route("/healthz", _healthy),
            Route("/demo.css", _style),
            *authorizing.routes(),
            *_Api(consents, customers, briefs).routes(),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=sorted(LOOPBACK), www_redirect=False)],
    )
    app.state.consents, app.state.customers, app.state.authorizing = consents, customers, authorizing
    app.state.briefs = briefs
    return app


async def _front(request: Request) -> Response:
    return pages.notice("A pretend customer list", "Open Joule, go to Integrations and connect it there to try it.")


async def _healthy(request: Request) -> Response:
    return JSONResponse({"ok": True}, headers=pages.headers())


async def _style(request: Request) -> Response:
    return pages.style()


Act = Callable[[Request], Awaitable[dict[str, Any]]]


class _Api:
    """Contacts, campaigns, briefs, notes, newsletters and boosts, for whoever holds a token with the scope."""

    def __init__(self, consents: Consents, customers: Customers, briefs: Briefs) -> None:
        self._consents, self._customers, self._briefs = consents, customers, briefs

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/contacts", self._guarded("contacts.read", self.contacts), methods=["GET"]),
            Route("/api/campaigns", self._guarded("campaigns.read", self.campaigns), methods=["GET"]),
            Route("/api/briefs", self._guarded("campaigns.read", self.briefs), methods=["GET"]),
            Route("/api/briefs/{id}", self._guarded("campaigns.read", self.brief), methods=["GET"]),
            Route("/api/contacts/{id}/notes", self._guarded("notes.write", self.note), methods=["POST"]),
            Route("/api/newsletters", self._guarded("newsletter.send", self.newsletter), methods=["POST"]),
            Route("/api/campaigns/{id}/boosts", self._guarded("ads.spend", self.boost), methods=["POST"]),
        ]

    def _guarded(self, scope: str, act: Act) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            consent = self._consents.of(token) if scheme.lower() == "bearer" else None
            if consent is None:
                return _error(401, "invalid_token", challenge='Bearer error="invalid_token"')
            if scope not in consent.scopes:
                return _error(
                    403, "insufficient_scope", challenge=f'Bearer error="insufficient_scope", scope="{scope}"'
                )
            request.state.account = consent.id
            try:
                return JSONResponse(await act(request), headers=pages.headers())
            except NoSuchThing:
                return _error(404, "not_found")
            except BadRequest as wrong:
                return _error(400, "invalid_request", words=str(wrong))

        return endpoint

    async def contacts(self, request: Request) -> dict[str, Any]:
        asked = request.query_params
        limit = asked.get("limit", "25")
        if not limit.isdecimal() or len(limit) > 4:
            raise BadRequest("the limit is from 1 to 100")
        return self._customers.contacts(segment=asked.get("segment"), limit=int(limit), cursor=asked.get("cursor"))

    async def campaigns(self, request: Request) -> dict[str, Any]:
        return self._customers.campaigns(status=request.query_params.get("status"))

    async def briefs(self, request: Request) -> dict[str, Any]:
        return self._briefs.listed(request.query_params.get("word"))

    async def brief(self, request: Request) -> dict[str, Any]:
        return self._briefs.one(request.path_params["id"])

    async def note(self, request: Request) -> dict[str, Any]:
        asked = await _json(request)
        return self._once(request, lambda: self._customers.note(request.path_params["id"], asked))

    async def newsletter(self, request: Request) -> dict[str, Any]:
        asked = await _json(request)
        return self._once(request, lambda: self._customers.newsletter(asked))

    async def boost(self, request: Request) -> dict[str, Any]:
        asked = await _json(request)
        return self._once(request, lambda: self._customers.boost(request.path_params["id"], asked))

    def _once(self, request: Request, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return self._customers.once(request.state.account, request.headers.get("idempotency-key"), act)


async def _json(request: Request) -> dict[str, Any]:
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MOST_BYTES:
            raise BadRequest("that is too much")
    try:
        asked = json.loads(raw)
    except ValueError:
        raise BadRequest("that is no JSON") from None
    if not isinstance(asked, dict):
        raise BadRequest("that is no JSON object")
    return asked


def _error(status: int, code: str, *, words: str = "", challenge: str = "") -> Response:
    more = {"WWW-Authenticate": challenge} if challenge else {}
    told = {"error": code} | ({"error_description": words} if words else {})
    return JSONResponse(told, status_code=status, headers={**pages.headers(), **more})
