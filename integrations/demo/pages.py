"""The two pages a person sees. Templates are files; everything put into them is escaped here."""

from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

from integrations.demo.consents import SCOPES

_ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def consent(ticket: str, scopes: tuple[str, ...], redirect_uri: str) -> Response:
    """Asks a person, scope by scope."""
    rows = "".join(_filled("_scope.html", name=name, words=SCOPES[name]) for name in scopes)
    page = _template("consent.html").substitute(
        ticket=escape(ticket), scopes=rows, back=escape(_origin(redirect_uri) or "Joule")
    )
    return HTMLResponse(page, headers=headers(form_action=f"'self' {_origin(redirect_uri)}"))


def notice(title: str, words: str, *, status: int = 200) -> Response:
    """Tells a person something, in our own words."""
    return HTMLResponse(_filled("notice.html", title=title, words=words), status_code=status, headers=headers())


def style() -> Response:
    return Response(_text("demo.css"), media_type="text/css", headers=headers())


def headers(*, form_action: str = "'none'") -> dict[str, str]:
    """What every answer carries. Browsers hold a form to `form_action` through redirects too."""
    policy = f"default-src 'none'; style-src 'self'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    return {**_ALWAYS, "Content-Security-Policy": policy}


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _filled(template: str, /, **values: str) -> str:
    return _template(template).substitute({key: escape(value) for key, value in values.items()})


@cache
def _template(name: str) -> Template:
    return Template(_text(name))


@cache
def _text(name: str) -> str:
    return (files("integrations.demo") / "templates" / name).read_text(encoding="utf-8")
