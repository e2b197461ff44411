"""Builds the pages: three small apps and the API behind one set of guards.

`joule web` serves what `build_app` gives. The first part of a path names the app; what no other app owns is the chat's.
"""

from collections.abc import Mapping

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from integrations.clients import read_file
from joule.identity.addresses import Addresses
from joule.identity.lifetimes import Lifetimes
from joule.identity.queries import Visitors
from joule.web import admin, api, chat, errors, support
from joule.web.assets import STATIC
from joule.web.context import House, Web
from joule.web.guards import Address, Guards
from joule.web.markdown import Renderer
from joule.web.rendering import Templates
from memory.knowledge.reading.glance import Glancer

_UPLOAD_SLACK = 4096  # bytes
_QUIET = TelemetryConfig(tracing=False, metrics=False, logs=False, operation_spans=False, auto_configure=False)


class Places:
    """Sends a request to the app that owns the first part of its path."""

    def __init__(self, *, apps: Mapping[str, FastAPI], static: ASGIApp, otherwise: FastAPI) -> None:
        self.apps, self._static, self.otherwise = apps, static, otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        first, _, rest = scope["path"].lstrip("/").partition("/")
        if first == "static":
            await self._static({**scope, "path": f"/{rest}", "root_path": ""}, receive, send)
            return
        await self.apps.get(first, self.otherwise)(scope, receive, send)


def build_app(house: House) -> FastAPI:
    """Everything `joule web` serves. Raises `Misconfigured` for an address that would not be safe."""
    settings = house.settings.web
    templates = Templates()
    web = Web(
        house=house,
        templates=templates,
        markdown=Renderer(),
        address=Address(settings),
        visitors=Visitors(
            database=house.database, vault=house.vault, clock=house.clock, lifetimes=Lifetimes.of(settings)
        ),
        addresses=Addresses(database=house.database, vault=house.vault),
        glancer=Glancer(),
        own_apps=frozenset(read_file(house.settings.integrations.clients_file)),
    )
    places = Places(
        apps={
            "support": _app(web, support.routers),
            "admin": _app(web, admin.routers),
            "integrations": _app(web, admin.integrations.ways_back),
            "api": _app(web, api.routers),
        },
        static=StaticFiles(directory=STATIC),
        otherwise=_app(web, chat.routers),
    )
    app = _app(web, ())
    app.state.places = places
    app.mount("", places)
    app.add_middleware(
        Guards,
        address=web.address,
        templates=templates,
        max_upload=settings.max_upload_mb * 1_000_000 + _UPLOAD_SLACK,
    )
    return app


def _app(web: Web, routers: tuple[APIRouter, ...]) -> FastAPI:
    # No interactive documentation: it would load scripts from elsewhere. No telemetry of the framework's own: by default
    # it puts addresses and errors into spans, and one variable of its environment has it export them.
    app = FastAPI(title="Joule", docs_url=None, redoc_url=None, openapi_url=None, telemetry=_QUIET)
    app.state.web = web
    errors.install(app, web.templates)
    app.add_middleware(errors.Caught, templates=web.templates)
    for router in routers:
        app.include_router(router)
    return app
