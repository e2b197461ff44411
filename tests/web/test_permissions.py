"""No page without a permission."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount

from joule.identity.permissions import Permission
from joule.kernel.principal import Role
from joule.web import admin, api, chat, support
from joule.web.access import Allow, Anyone
from tests.web.conftest import Site

ROUTERS: tuple[APIRouter, ...] = (
    *chat.routers,
    *support.routers,
    *admin.routers,
    *admin.integrations.ways_back,
    *api.routers,
)
PUBLIC = {"/healthz", "/sign-in", "/sign-in/link", "/help/offline-model", "/integrations/clients/{provider}.json"}


def permissions_of(dependant: Dependant) -> Iterator[Permission]:
    if isinstance(dependant.call, Allow | Anyone):
        yield dependant.call.permission
    for each in dependant.dependencies:
        yield from permissions_of(each)


def routes(routers: tuple[APIRouter, ...] = ROUTERS) -> list[APIRoute]:
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def unguarded(found: list[APIRoute]) -> list[str]:
    return [f"{sorted(each.methods)} {each.path}" for each in found if len(set(permissions_of(each.dependant))) != 1]


def test_every_route_names_exactly_one_permission() -> None:
    assert len(routes()) > 60
    assert unguarded(routes()) == []


def test_a_route_without_a_permission_is_caught() -> None:
    planted = APIRouter()

    @planted.get("/secret")
    async def secret() -> str:
        return "all of it"

    assert unguarded(routes((planted,))) == ["['GET'] /secret"]


def test_only_these_pages_are_for_anybody() -> None:
    public = {each.path for each in routes() if Permission.SIGN_IN in permissions_of(each.dependant)}

    assert public == PUBLIC


async def test_the_apps_serve_these_routes_and_no_others(site: Site) -> None:
    places = site.app.state.places
    included = [
        route.original_router
        for app in (site.app, *places.apps.values(), places.otherwise)
        for route in app.routes
        if not isinstance(route, Mount)
    ]

    assert {id(each) for each in included} == {id(each) for each in ROUTERS}


@pytest.mark.parametrize(
    "path", sorted({each.path for each in routes() if "GET" in each.methods and "{" not in each.path} - PUBLIC)
)
async def test_nobody_sees_a_page_without_signing_in(site: Site, path: str) -> None:
    async with site.stranger() as client:
        answer = await client.get(path)

    assert answer.status_code == (401 if path.startswith("/api/") else 303)
    assert answer.headers.get("location", "/sign-in").startswith("/sign-in")


CHAT = ("/projects", "/search", "/api/v1/projects")
HEALTH = ("/support", "/support/connections")
OFFICE = ("/admin/members", "/admin/integrations", "/admin/settings", "/admin/audit")


@pytest.mark.parametrize(
    ("role", "open_to", "closed_to"),
    [
        (Role.OWNER, (*CHAT, *OFFICE, *HEALTH, "/account"), ()),
        (Role.ADMIN, (*CHAT, *OFFICE, *HEALTH, "/account"), ()),
        (Role.MEMBER, (*CHAT, "/account"), (*OFFICE, *HEALTH)),
        (Role.SUPPORT, (*HEALTH, "/account"), (*CHAT, *OFFICE)),
    ],
)
async def test_a_role_opens_its_pages_and_no_others(
    site: Site, role: Role, open_to: tuple[str, ...], closed_to: tuple[str, ...]
) -> None:
    async with site.signed_in(role) as client:
        opened = {path: (await client.get(path)).status_code for path in open_to}
        closed = {path: (await client.get(path)).status_code for path in closed_to}

    assert opened == dict.fromkeys(open_to, 200)
    assert closed == dict.fromkeys(closed_to, 403)
