"""Signing in to MCP servers by the pages: the MCP project's own server library, with panva's oidc-provider as its issuer."""

import asyncio
import html
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from integrations.mcp import queries
from integrations.mcp.queries import McpServerView
from joule.assembly.upkeep import account_upkeep_of
from joule.kernel.ids import TaskId, ThreadId
from joule.kernel.label import typed_by
from joule.kernel.principal import Role
from joule.kernel.settings import Settings
from joule.tasks import queries as tasks
from joule.tasks.actions import StartTask
from joule.tasks.state import State
from joule.web.app import build_app
from tests.support.house import home
from tests.support.mcp.protected import READ, WRITE, Protected, running_protected
from tests.support.oidc import Peer, running_peer
from tests.support.scripted_model import Says, ScriptedModel
from tests.web.conftest import Site
from tests.web.test_integrations import text_of

PAGE = "/admin/integrations/mcp"


@dataclass(kw_only=True)
class Lobby:
    """The pages, the server they are about, and its issuer."""

    site: Site
    guarded: Protected
    peer: Peer

    async def server(self) -> McpServerView:
        async with self.site.home.house.database.read(self.site.home.org) as session:
            (found,) = await queries.servers(session, self.site.home.house.vault, self.site.home.org)
        return found

    async def add(self, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(PAGE, data={"url": self.guarded.url, "title": "Ads"}, follow_redirects=True)

    async def at(self) -> str:
        return f"{PAGE}/servers/{(await self.server()).server}"

    async def consent(self, client: httpx.AsyncClient, left: httpx.Response) -> httpx.Response:
        """Follows the link of the page that leads away, agrees at the issuer, and comes back."""
        link = re.search(r'href="(http://127\.0\.0\.1:\d+/auth[^"]+)"', left.text)
        assert link is not None, left.text
        brought = await self.peer.consent(html.unescape(link[1]))
        name = f"mcp_{(await self.server()).server.hex}"
        return await client.get(f"/integrations/callback/{name}?{urlencode(brought)}", follow_redirects=True)

    async def sign_in(self, client: httpx.AsyncClient, **more: str) -> httpx.Response:
        return await self.consent(client, await client.post(f"{await self.at()}/sign-in", data=more))


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running_peer() as found:
        yield found


@pytest.fixture
async def lobby(settings: Settings, peer: Peer) -> AsyncIterator[Lobby]:
    issuer = urlsplit(peer.issuer).port
    await peer.play()
    async with running_protected(peer) as guarded:
        knowing = settings.integrations.model_copy(update={"mcp_port": guarded.port, "mcp_issuer_port": issuer})
        model = ScriptedModel(script=[])
        async with home(settings.model_copy(update={"integrations": knowing}), model=model) as found:
            yield Lobby(site=Site(app=build_app(found.house), home=found, model=model), guarded=guarded, peer=peer)


async def test_from_the_address_to_a_tool_that_is_on_and_out_again(lobby: Lobby) -> None:
    async with lobby.site.signed_in() as client:
        added = await lobby.add(client)
        asked = await client.get(f"{await lobby.at()}/sign-in")
        back = await lobby.sign_in(client)
        states = {each.name: each.state for each in (await lobby.server()).tools}
        out = await client.post(f"{await lobby.at()}/sign-out", follow_redirects=True)
        await account_upkeep_of(lobby.site.home.house).run()
        told = await client.get(PAGE)
        receipt = await client.get(re.search(r'href="(/admin/connections/[^"]+/receipt)"', told.text)[1])  # type: ignore[index]

    assert "Needs sign-in" in text_of(added)
    assert "Its tools are known once somebody has signed in." in text_of(added)
    assert lobby.peer.issuer in text_of(asked)
    assert lobby.guarded.url in text_of(asked)
    assert "Joule registers itself" in text_of(asked)
    assert "You are signed in. Its tools are off until you switch them on." in text_of(back)
    assert "Signed in" in text_of(back)
    assert states == {"figures": "off", "note": "off"}
    assert "Signed out. Every worker refuses to use it." in text_of(out)
    assert "Needs sign-in" in text_of(out)
    assert "refresh token: revoked, access token: revoked" in text_of(told)
    assert receipt.json()
    shown = "".join(each.text for each in (added, asked, back, out, told, receipt))
    assert not [each for each in lobby.guarded.tokens if each in shown]


async def test_a_client_registered_by_hand_is_entered_and_forgotten(lobby: Lobby) -> None:
    async with lobby.site.signed_in() as client:
        await lobby.add(client)
        saved = await client.post(
            f"{await lobby.at()}/client",
            data={"client_id": "by-hand", "client_secret": "s3cret-by-hand"},
            follow_redirects=True,
        )
        forgotten = await client.post(f"{await lobby.at()}/client", data={}, follow_redirects=True)

    assert "Joule is known there as by-hand" in text_of(saved)
    assert "s3cret-by-hand" not in saved.text
    assert "Joule is not known there yet." in text_of(forgotten)


async def test_a_task_that_lacks_a_permission_waits_and_goes_on_once_it_is_given(lobby: Lobby) -> None:
    here, stop = lobby.site.home, asyncio.Event()
    lobby.guarded.demanding = {"figures"}
    async with lobby.site.signed_in() as client:
        await lobby.add(client)
        await lobby.sign_in(client)
        (figures,) = [each for each in (await lobby.server()).tools if each.name == "figures"]
        await client.post(f"{PAGE}/tools/{figures.tool}", data={"pin": figures.pin, "state": "allow"})
        name = f"mcp_ads_figures_{figures.tool.hex[-8:]}"
        lobby.site.model.script = [Says(calls=[(name, {})]), Says(text="There were 41 clicks.")]
        working = asyncio.create_task(here.serve(stop))
        assert here.owner.person is not None
        task = (
            await here.house.commands.perform(
                StartTask(
                    principal=here.owner,
                    project=here.project,
                    text="What are the figures?",
                    label=typed_by(here.owner.person),
                )
            )
        ).task
        waiting = await _until(lobby, task, State.WAITING)
        (asked,) = [each for each in await here.events(task) if each.kind == "approval.asked"]
        conversation = f"/projects/{here.project}/threads/{waiting}"
        card = await client.get(conversation)
        led = await client.get(f"/chat/permissions/{asked.attrs['approval_id']}")
        page = await client.get(led.headers["location"])
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', page.text))
        left = await client.post(f"{await lobby.at()}/sign-in", data=hidden)
        back = await lobby.consent(client, left)
        await _until(lobby, task, State.DONE)
    stop.set()
    await working

    assert asked.attrs["code"] == "integrations.scope_missing"
    assert WRITE in text_of(card)
    assert WRITE in text_of(page)
    assert (hidden["scope"], hidden["return_to"]) == (WRITE, conversation)
    assert back.url.path == conversation
    found = (await lobby.server()).sign_in
    assert found is not None
    assert found.connection is not None
    assert {READ, WRITE} <= set(found.connection.granted)


async def _until(lobby: Lobby, task: TaskId, state: State) -> ThreadId:
    """Waits for a task to come into a state; the conversation it is of."""
    here = lobby.site.home
    async with asyncio.timeout(30):
        while True:
            async with here.house.database.read(here.org) as session:
                view = await tasks.task(session, here.house.vault, here.org, task)
            if view.facts.state is state:
                return view.facts.thread
            await asyncio.sleep(0.05)


async def test_an_answer_that_is_none_is_refused_and_leads_back_to_the_servers(lobby: Lobby) -> None:
    async with lobby.site.signed_in() as client:
        await lobby.add(client)
        await client.post(f"{await lobby.at()}/sign-in")
        name = f"mcp_{(await lobby.server()).server.hex}"
        forged = await client.get(f"/integrations/callback/{name}?state=forged&code=x", follow_redirects=True)
        nobody = await client.get(f"/integrations/callback/mcp_{'0' * 31}?state=a&code=b")

    assert forged.status_code == 400 or "does not belong" in text_of(forged)
    assert f'href="{PAGE}"' in forged.text
    assert nobody.status_code == 404
    assert (await lobby.server()).needs_sign_in


@pytest.mark.parametrize("role", [Role.MEMBER, Role.SUPPORT])
async def test_only_who_may_connect_accounts_signs_in(lobby: Lobby, role: Role) -> None:
    async with lobby.site.signed_in() as client:
        await lobby.add(client)
    at = await lobby.at()
    async with lobby.site.signed_in(role) as client:
        answers = [
            await client.get(f"{at}/sign-in"),
            await client.post(f"{at}/sign-in"),
            await client.post(f"{at}/client", data={"client_id": "mine"}),
            await client.post(f"{at}/sign-out"),
        ]

    assert [each.status_code for each in answers] == [403] * 4
    assert (await lobby.server()).needs_sign_in


async def test_another_organisations_server_is_not_there(lobby: Lobby) -> None:
    async with lobby.site.signed_in() as client:
        at = f"{PAGE}/servers/00000000-0000-7000-8000-000000000000"
        answers = [
            await client.get(f"{at}/sign-in"),
            await client.post(f"{at}/sign-in"),
            await client.post(f"{at}/sign-out"),
        ]

    assert [each.status_code for each in answers] == [404] * 3
