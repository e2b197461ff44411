"""A member gives the permission their own task waits for, as far as the organisation's rule goes and no further."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from integrations import queries
from integrations.actions import BeginConnection, SetProviderRule
from integrations.demo import PROVIDER
from joule.identity.actions import ChangeRole
from joule.kernel.errors import Refused
from joule.kernel.ids import PersonId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.tasks import queries as tasks
from joule.web.app import build_app
from tests.support.connecting import REDIRECT, Shop, shop
from tests.support.scripted_model import Says, ScriptedModel
from tests.web.conftest import Site
from tests.web.test_conversation import HTMX, begin, until, working

SCRIPT = [Says(calls=[("demo_crm_read_campaigns", {"status": "running"})]), Says(text="There they are.")]
WITH_A_PORT = "http://127.0.0.1:8100"  # the demonstration sends nobody back elsewhere


@dataclass(kw_only=True)
class Waiting:
    """A member whose task waits for a permission, and the page it is given on."""

    site: Site
    shop: Shop
    client: httpx.AsyncClient
    task: TaskId
    thread: str
    page: str

    async def rule(self, members_to: str | None) -> None:
        wish = SetProviderRule(principal=self.shop.home.owner, provider=PROVIDER, allowed=True, members_to=members_to)
        await self.shop.home.house.commands.perform(wish)

    async def granted(self) -> tuple[str, ...]:
        async with self.shop.home.house.database.read(self.shop.home.org) as session:
            (found,) = await queries.connections(session, self.shop.home.house.vault, self.shop.home.org)
        return found.granted

    async def come_back(self, url: str) -> httpx.Response:
        back = await self.shop.consented(url)
        return await self.client.get("/integrations/callback/demo_crm", params=back)

    async def person(self) -> PersonId:
        async with self.shop.home.house.database.read(self.shop.home.org) as session:
            return (await tasks.facts(session, self.shop.home.org, self.task)).author


@pytest.fixture
async def place(settings: Settings) -> AsyncIterator[tuple[Site, Shop]]:
    model = ScriptedModel(script=SCRIPT)
    async with shop(settings, model=model) as found:
        yield Site(app=build_app(found.home.house), home=found.home, model=model), found


@asynccontextmanager
async def waiting(place: tuple[Site, Shop]) -> AsyncIterator[Waiting]:
    """A member's task that asks for `campaigns.read`, which the account has not."""
    site, here = place
    await here.connect("contacts.read")
    async with site.signed_in(Role.MEMBER) as client, working(site):
        client.base_url = httpx.URL(WITH_A_PORT)
        task, page = await begin(site, client, "Show the running campaigns")
        await until(site, task, "waiting")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        link = re.search(r'href="(/chat/permissions/[^"]+)"', (await client.get(thread[0])).text)
        assert link is not None
        yield Waiting(site=site, shop=here, client=client, task=task, thread=thread[0], page=link[1])


async def test_where_the_rule_lets_them_a_member_gives_it_and_the_task_goes_on(place: tuple[Site, Shop]) -> None:
    async with waiting(place) as at:
        await at.rule("R1P")
        page = html.unescape((await at.client.get(at.page)).text)
        asked = await at.client.post(at.page, headers=HTMX)
        came = await at.come_back(asked.headers["HX-Redirect"])
        await until(at.site, at.task, "done")

        assert "Your task needs this one permission at Demo CRM" in page
        assert "Read the pretend campaigns, their figures and their briefs." in page
        assert came.headers["location"] == f"{at.thread}#main"
        assert await at.granted() == ("contacts.read", "campaigns.read")
        assert "There they are." in (await at.client.get(at.thread)).text


async def test_where_nothing_was_said_it_is_up_to_admins(place: tuple[Site, Shop]) -> None:
    async with waiting(place) as at:
        page = await at.client.get(at.page)
        asked = await at.client.post(at.page, headers=HTMX)

        assert page.status_code == 403
        assert "leaves it to owners and admins" in page.text
        assert "Give this permission" not in page.text
        assert asked.status_code == 403
        assert await at.granted() == ("contacts.read",)


async def test_a_rule_taken_back_meanwhile_stops_whoever_has_set_out(place: tuple[Site, Shop]) -> None:
    async with waiting(place) as at:
        await at.rule("R2")
        asked = await at.client.post(at.page, headers=HTMX)
        await at.rule(None)
        came = await at.come_back(asked.headers["HX-Redirect"])
        told = await at.client.get(came.headers["location"])

        assert "why=admins" in came.headers["location"]
        assert told.status_code == 403
        assert "Ask an owner or admin." in told.text
        assert "/admin/" not in told.text
        assert await at.granted() == ("contacts.read",)


async def test_another_account_is_not_taken_for_the_connected_one(place: tuple[Site, Shop]) -> None:
    async with waiting(place) as at:
        await at.rule("R1P")
        asked = await at.client.post(at.page, headers=HTMX)
        at.shop.demo.state.authorizing.account = "Somebody else's shop"
        came = await at.come_back(asked.headers["HX-Redirect"])

        assert "why=account" in came.headers["location"]
        assert await at.granted() == ("contacts.read",)
        assert [each.alive for each in at.shop.demo.state.consents.given] == [True, False]  # the other was ended there


async def test_nobody_gives_a_permission_for_somebody_elses_task(place: tuple[Site, Shop]) -> None:
    async with waiting(place) as at:
        await at.rule("R3")
        wish = ChangeRole(principal=at.shop.home.owner, person=await at.person(), role=Role.ADMIN)
        await at.shop.home.house.commands.perform(wish)  # so that the other is the only member
        async with at.site.signed_in(Role.MEMBER, email="another@example.test") as other:
            page = await other.get(at.page)
            asked = await other.post(at.page, headers=HTMX)

        assert page.status_code == asked.status_code == 403
        assert "somebody else&#39;s" in page.text
        assert (await at.client.get(at.page)).status_code == 303  # the one who may is led on


async def test_a_member_begins_nothing_but_that(place: tuple[Site, Shop]) -> None:
    async with waiting(place) as at:
        await at.rule("R3")
        member = Principal(org=at.shop.home.org, person=await at.person(), role=Role.MEMBER, via=Via.PERSON)
        wish = BeginConnection(
            principal=member,
            provider=PROVIDER,
            scopes=("ads.spend",),
            session=new_id(),
            redirect_uri=REDIRECT,
        )

        with pytest.raises(Refused):
            await at.shop.home.house.commands.perform(wish)
