"""What every request passes before a page sees it: the host, the origin, the size; and the headers on the way back.

Plain ASGI, so that a stream is never buffered.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from joule.kernel.errors import JouleError, Misconfigured
from joule.kernel.settings import WebSettings
from joule.web.errors import CrossSite, TooLarge, WrongHost, answer
from joule.web.rendering import Templates

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ORDINARY_BODY = 1_000_000  # bytes; forms and messages

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Address:
    """Where Joule is reached: `base_url` when one is set, else loopback alone."""

    def __init__(self, settings: WebSettings) -> None:
        """Raises `Misconfigured` for an address that would send the session in clear over a network."""
        parts = urlsplit(settings.base_url or "")
        self.is_https = parts.scheme == "https"
        self._origin = f"{parts.scheme}://{parts.netloc}".lower() if settings.base_url else None
        self._hosts = frozenset({(parts.hostname or "").lower()}) if settings.base_url else _LOOPBACK
        if settings.base_url and not self.is_https and parts.hostname not in _LOOPBACK:
            raise Misconfigured(
                "JOULE_WEB_BASE_URL is not https", advice="Put a TLS proxy before Joule and give its https address."
            )

    @property
    def cookie(self) -> str:
        """The name of the one cookie. The `__Host-` prefix has the browser refuse it from elsewhere."""
        return "__Host-joule" if self.is_https else "joule"

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names us. A page of another name, pointed at this machine, is not us."""
        return (urlsplit(f"//{host}").hostname or "").lower() in self._hosts

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Whether an Origin header is that of our own pages."""
        return origin.lower() == (self._origin or f"http://{host}".lower())


class Guards:
    """Checks host, origin and size of a request, in that order, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, *, address: Address, templates: Templates, max_upload: int) -> None:
        """`max_upload` in bytes."""
        self._app, self._address, self._templates, self._max_upload = app, address, templates, max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sealed = self._sealed(scope, send)
        limit = self._max_upload if "x-upload" in headers else _ORDINARY_BODY
        try:
            self._check(scope["method"], headers, limit)
        except JouleError as error:
            await answer(Request(scope), error, self._templates)(scope, receive, sealed)
            return
        await self._app(scope, _counted(receive, limit), sealed)

    def _check(self, method: str, headers: Headers, limit: int) -> None:
        host = headers.get("host", "")
        if not self._address.is_ours(host):
            raise WrongHost()
        if method not in _SAFE and not self._is_own(headers, host):
            raise CrossSite()
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            raise TooLarge(limit)

    def _is_own(self, headers: Headers, host: str) -> bool:
        """Whether a changing request comes from our own pages, or from a program that carries no cookie."""
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        origin = headers.get("origin")
        if origin is not None:
            return self._address.is_own_origin(origin, host)
        return "cookie" not in headers

    def _sealed(self, scope: Scope, send: Send) -> Send:
        path = scope["path"]
        is_static = path.startswith("/static/")
        is_public = path.startswith("/integrations/clients/")  # the same for everybody; says itself how long it holds

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = headers.get("Content-Security-Policy")
                for name, value in _HEADERS.items():
                    headers[name] = value
                if own is not None:  # a page's stricter policy holds beside ours, never in place of it
                    headers["Content-Security-Policy"] = f"{own}, {CONTENT_POLICY}"
                if not is_static and not (is_public and "Cache-Control" in headers):
                    headers["Cache-Control"] = "no-store"
                if self._address.is_https:
                    headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
            await send(message)

        return sealed


def _counted(receive: Receive, limit: int) -> Callable[[], Awaitable[Message]]:
    """Receives a body and stops at `limit` bytes, whatever its Content-Length promised."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLarge(limit)
        return message

    return counted
