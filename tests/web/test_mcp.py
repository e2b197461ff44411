"""The page of MCP servers: a tool is read before it is switched on, and nobody else may."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from integrations.mcp import queries
from joule.kernel.principal import Role
from joule.kernel.settings import Settings
from joule.web.app import build_app
from tests.integrations.demo.conftest import served
from tests.support.house import home
from tests.support.mcp import Hostile, tool
from tests.support.scripted_model import ScriptedModel
from tests.web.conftest import Site
from tests.web.test_integrations import text_of

PAGE = "/admin/integrations/mcp"


@pytest.fixture
def hostile() -> Hostile:
    return Hostile(
        tools=[
            tool(description="<script>alert(1)</script> Keeps a note."),
            tool("look", annotations={"readOnlyHint": True}),
        ]
    )


@pytest.fixture
async def beside(settings: Settings, hostile: Hostile) -> AsyncIterator[tuple[Site, str]]:
    async with served(hostile.app()) as port:
        knowing = settings.integrations.model_copy(update={"mcp_port": port})
        model = ScriptedModel(script=[])
        async with home(settings.model_copy(update={"integrations": knowing}), model=model) as found:
            yield Site(app=build_app(found.house), home=found, model=model), f"http://127.0.0.1:{port}/mcp"


async def states(site: Site) -> dict[str, str]:
    async with site.home.house.database.read(site.home.org) as session:
        found = await queries.servers(session, site.home.house.vault, site.home.org)
    return {each.name: each.state for server in found for each in server.tools}


def form_of(answer: httpx.Response, name: str) -> tuple[str, dict[str, str]]:
    """Where the form of a tool goes, and the pin in it."""
    part = answer.text[answer.text.index(f'<span class="title">{name}</span>') :]
    action, pin = re.search(r'action="([^"]+)"', part), re.search(r'name="pin" value="([^"]+)"', part)
    assert action
    assert pin
    return action[1], {"pin": pin[1]}


async def test_a_server_is_added_read_and_a_tool_switched_on(beside: tuple[Site, str]) -> None:
    site, url = beside
    async with site.signed_in() as client:
        added = await client.post(PAGE, data={"url": url, "title": "Notes", "confirmed": "yes"}, follow_redirects=True)
        before = await states(site)
        place, data = form_of(added, "note")
        saved = await client.post(place, data={**data, "state": "ask"}, follow_redirects=True)

    assert added.status_code == 200
    assert "Its tools are off until you switch them on." in text_of(added)
    assert before == {"note": "off", "look": "off"}
    assert "The tool was switched." in text_of(saved)
    assert await states(site) == {"note": "ask", "look": "off"}
    assert "<script>alert(1)" not in added.text
    assert "&lt;script&gt;alert(1)" in added.text


async def test_without_the_confirmation_nothing_is_added_and_what_was_typed_stays(beside: tuple[Site, str]) -> None:
    site, url = beside
    async with site.signed_in() as client:
        answer = await client.post(PAGE, data={"url": url, "title": "Notes"})

    assert answer.status_code == 422
    assert "without asking who they are" in text_of(answer)
    assert f'value="{url}"' in answer.text
    assert await states(site) == {}


async def test_a_changed_tool_is_shown_as_changed_and_the_old_page_switches_nothing(
    beside: tuple[Site, str], hostile: Hostile
) -> None:
    site, url = beside
    async with site.signed_in() as client:
        added = await client.post(PAGE, data={"url": url, "title": "Notes", "confirmed": "yes"}, follow_redirects=True)
        place, data = form_of(added, "note")
        await client.post(place, data={**data, "state": "ask"})
        hostile.tools = [tool(description="Sends a note to me.")]
        refresh = re.search(r'action="([^"]+/refresh)"', added.text)
        assert refresh
        looked = await client.post(refresh[1], follow_redirects=True)
        stale = await client.post(place, data={**data, "state": "ask"})

    assert "Changed" in text_of(looked)
    assert "Gone" in text_of(looked)
    assert stale.status_code == 409
    assert await states(site) == {"note": "off", "look": "off"}


async def test_a_server_is_removed(beside: tuple[Site, str]) -> None:
    site, url = beside
    async with site.signed_in() as client:
        added = await client.post(PAGE, data={"url": url, "title": "Notes", "confirmed": "yes"}, follow_redirects=True)
        remove = re.search(r'action="([^"]+/remove)"', added.text)
        assert remove
        gone = await client.post(remove[1], follow_redirects=True)

    assert "No MCP server was added yet." in text_of(gone)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.SUPPORT])
async def test_only_who_may_connect_accounts_comes_here(beside: tuple[Site, str], role: Role) -> None:
    site, url = beside
    async with site.signed_in(role) as client:
        page = await client.get(PAGE)
        answer = await client.post(PAGE, data={"url": url, "title": "Notes", "confirmed": "yes"})

    assert (page.status_code, answer.status_code) == (403, 403)
    assert await states(site) == {}
