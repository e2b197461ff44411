"""Which HTTP status belongs to which error, and how an error looks. Nothing else in the house knows HTTP.

    JouleError
    ├── NotSignedIn      nobody is signed in, or the session has ended
    ├── NotAllowed       the person's role has no such page
    ├── CrossSite        another site sent this request
    ├── WrongHost        the request names a host that is not ours
    └── TooLarge         more bytes than may be sent

An answer carries the error's message, its code and its advice: none of them ever holds content. A fragment request gets
a notice beside what the person was doing, which stays as it is: nothing they typed is lost.
"""

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integrations import errors as accounts
from integrations.oauth.errors import DiscoveryRefused, RequestRefused
from joule.kernel import errors as kernel
from joule.kernel.errors import JouleError
from joule.privacy.errors import NotTheirs, ProvidersUntold
from joule.web.rendering import Templates
from traces.ending.errors import OnHold

log = logging.getLogger(__name__)


class NotSignedIn(JouleError):
    """Nobody is signed in, or the session has ended."""

    code = "web.not_signed_in"

    def __init__(self) -> None:
        super().__init__("you are not signed in")

    def advice(self) -> str:
        return "Sign in and try again; what you typed is still here."


class NotAllowed(JouleError):
    """The person's role has no such page."""

    code = "web.not_allowed"

    def __init__(self) -> None:
        super().__init__("your role does not include this page")

    def advice(self) -> str:
        return "Ask an admin of your organisation if you need it."


class CrossSite(JouleError):
    """Another site sent this request in the person's name."""

    code = "web.cross_site"

    def __init__(self) -> None:
        super().__init__("this request came from another site")

    def advice(self) -> str:
        return "Open Joule in its own tab and do it there."


class WrongHost(JouleError):
    """The request names a host that is not ours."""

    code = "web.wrong_host"

    def __init__(self) -> None:
        super().__init__("Joule is not served under this address")

    def advice(self) -> str:
        return "Use the address Joule printed when it started, or have the operator set JOULE_WEB_BASE_URL."


class TooLarge(JouleError):
    """More bytes than may be sent."""

    code = "web.too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"this is larger than the {limit // 1_000_000 or 1} MB that may be sent")
        self.limit = limit

    def advice(self) -> str:
        return "Send a smaller file, or split it; an operator can raise JOULE_WEB_MAX_UPLOAD_MB."


class Unexpected(JouleError):
    """Something broke that nobody foresaw."""

    code = "web.unexpected"

    def __init__(self) -> None:
        super().__init__("something went wrong on our side")


_STATUS: tuple[tuple[type[JouleError], int], ...] = (
    (NotSignedIn, 401),
    (NotAllowed, 403),
    (CrossSite, 403),
    (WrongHost, 421),
    (TooLarge, 413),
    (kernel.Refused, 403),
    (kernel.NotFound, 404),
    (kernel.Invalid, 422),
    (kernel.Conflict, 409),
    (kernel.OutcomeUnknown, 409),
    (kernel.Unavailable, 503),
    (kernel.LimitReached, 429),
    (kernel.Stopped, 409),
    (OnHold, 409),
    (ProvidersUntold, 409),
    (NotTheirs, 403),
    (accounts.AdminsGive, 403),
    (accounts.NotAllowedHere, 403),
    (accounts.ReadOnlyConnection, 403),
    (accounts.HostRefused, 422),
    (accounts.ConnectionRevoked, 409),
    (accounts.NeedsReconnecting, 409),
    (accounts.AnotherAccount, 409),
    (accounts.ClientRefused, 409),
    (accounts.AnswerRefused, 502),
    (accounts.ProviderRefused, 502),
    (RequestRefused, 502),
    (DiscoveryRefused, 502),
)


def status_of(error: JouleError) -> int:
    """The HTTP status of an error; 500 for whatever is not listed."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def as_json(error: JouleError) -> JSONResponse:
    """An error as a program reads it."""
    body = {"error": {"code": error.code, "message": str(error), "advice": error.advice()}}
    return JSONResponse(body, status_code=status_of(error), headers={"Cache-Control": "no-store"})


def answer(request: Request, error: JouleError, templates: Templates) -> Response:
    """An error as this caller can use it: JSON, a notice, or a page."""
    if request.url.path.startswith("/api/") or "x-upload" in request.headers:
        return as_json(error)
    is_fragment = "hx-request" in request.headers
    if isinstance(error, NotSignedIn) and not is_fragment:
        asked = request.url.path if request.method == "GET" and request.url.path != "/" else ""
        return RedirectResponse("/sign-in" + (f"?next={asked}" if asked else ""), status_code=303)
    values: dict[str, Any] = {"message": sentence(str(error)), "advice": error.advice(), "code": error.code}
    if is_fragment:
        headers = {"HX-Retarget": "#notices", "HX-Reswap": "innerHTML", "HX-Reselect": ".notice"}
        if isinstance(error, NotSignedIn):
            values |= {"href": "/sign-in", "link": "Sign in"}
        return templates.page("_notice.html", status_of(error), headers, kind="no", **values)
    return templates.page("error.html", status_of(error), status=status_of(error), **values)


def sentence(message: str) -> str:
    """A message as a sentence: our errors start small and end without a stop."""
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "!", "?")) else ".")


def install(app: FastAPI, templates: Templates) -> None:
    """Has `app` answer every error in our own words."""

    async def deliberate(request: Request, error: Exception) -> Response:
        return answer(request, error if isinstance(error, JouleError) else Unexpected(), templates)

    async def http(request: Request, error: Exception) -> Response:
        if isinstance(error.__cause__, JouleError):  # reading the body stopped at one of ours
            return answer(request, error.__cause__, templates)
        status = error.status_code if isinstance(error, HTTPException) else 500
        ours: JouleError = Unexpected()
        if status in {404, 405}:
            ours = kernel.NotFound("page")
        elif status < 500:
            ours = kernel.Invalid("this cannot be read", advice="Go back, load the page again and send it once more.")
        return answer(request, ours, templates)

    async def incomplete(request: Request, error: Exception) -> Response:
        names = (
            sorted({str(each["loc"][-1]) for each in error.errors()})
            if isinstance(error, RequestValidationError)
            else []
        )
        problem = kernel.Invalid(
            f"this cannot be used as it is: {', '.join(names)}", advice="Fill in every field and send it again."
        )
        return answer(request, problem, templates)

    app.add_exception_handler(JouleError, deliberate)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, incomplete)


class Caught:
    """Turns an error nobody foresaw into a page. Logs its kind and place only: a message could hold content."""

    def __init__(self, app: ASGIApp, templates: Templates) -> None:
        self._app, self._templates = app, templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - whatever it is, the person gets a page and nobody its content
            place = error.__traceback__
            while place and place.tb_next:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
            log.error("%s at %s while answering", type(error).__name__, where)
            if begun or scope["type"] != "http":
                raise Interrupted() from None
            known = error if isinstance(error, JouleError) else Unexpected()
            await answer(Request(scope), known, self._templates)(scope, receive, send)


class Interrupted(JouleError):
    """An answer broke off after it had begun."""

    code = "web.interrupted"

    def __init__(self) -> None:
        super().__init__("the answer broke off")
