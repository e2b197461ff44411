"""Fills templates. Templates render; Python decides.

Everything is escaped unless a renderer of ours has cleaned it, and a name a template asks for in vain is an error.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from joule.web.assets import WEB, Asset, assets


class Templates:
    """The templates of all pages, compiled as they are first needed."""

    def __init__(self) -> None:
        self._assets = assets()
        self._environment = Environment(
            loader=FileSystemLoader(WEB / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = self.asset
        self._environment.filters["moment"] = moment
        self._environment.filters["bytes"] = byte_size
        self._environment.filters["initials"] = initials

    def asset(self, path: str) -> Asset:
        """A static file by its path under `static`; `KeyError` when there is none."""
        return self._assets[path]

    def text(self, template: str, values: Mapping[str, Any]) -> str:
        """A fragment as text."""
        return self._environment.get_template(template).render(values)

    def page(
        self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, /, **values: Any
    ) -> HTMLResponse:
        """A page, or a fragment of one, as an answer."""
        return HTMLResponse(self.text(template, values), status_code=status, headers=dict(headers or {}))


def moment(at: datetime) -> str:
    """An instant for people who have no script: to the minute, UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def byte_size(count: int) -> str:
    """A size as people say it: three digits at most."""
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"


def initials(name: str) -> str:
    """One or two letters that stand for a person."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "·"
