"""What becomes of a run that waits for a permission when the account goes, or is connected anew instead of given more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from integrations import queries
from joule.governance import approvals
from joule.kernel.settings import Settings
from joule.tasks.actions import ResumeAfterGrant
from joule.tasks.state import State
from tests.agent.test_connected import CAMPAIGNS, says, sent, told, until
from tests.support.connecting import Shop, shop
from tests.support.scripted_model import Says, ScriptedModel


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(script=[Says(text="Nothing to do.")])


@pytest.fixture
async def here(settings: Settings, model: ScriptedModel) -> AsyncIterator[Shop]:
    async with shop(settings, model=model) as found:
        yield found


@asynccontextmanager
async def worker(here: Shop) -> AsyncIterator[None]:
    stop = asyncio.Event()
    working = asyncio.create_task(here.home.serve(stop))
    try:
        yield
    finally:
        stop.set()
        await working


async def kinds(here: Shop, task: object) -> list[str]:
    return [each.kind for each in await here.home.events(task) if each.call == "act/0/0"]  # type: ignore[arg-type]


async def test_disconnecting_the_account_lets_the_run_that_waits_go_on_refused(here: Shop, model: ScriptedModel):
    made = await here.connect("contacts.read")
    says(model, CAMPAIGNS, then="I cannot see them.")

    async with worker(here):
        task = await sent(here, "show campaigns")
        await until(here, task, State.WAITING)
        await here.revoke(made.connection)
        await until(here, task, State.DONE)

    (answer,) = told(model)
    assert answer["error"] == "gate.refused"
    assert "was disconnected while this waited" in answer["message"]
    assert await kinds(here, task) == ["action.intent", "approval.asked", "approval.declined", "action.refused"]
    async with here.home.house.database.read(here.home.org) as session:
        assert await approvals.waited_for(session, here.home.org, at=datetime.now(UTC)) == frozenset()


async def test_disconnecting_another_account_leaves_the_run_waiting(here: Shop, model: ScriptedModel):
    other = await here.connect("campaigns.read")
    await here.revoke(other.connection)
    made = await here.connect("contacts.read")
    more = await here.connect("contacts.read")
    says(model, ("demo_crm_read_campaigns", {"connected_account": await name(here, str(made.connection))}))

    async with worker(here):
        task = await sent(here, "show campaigns")
        await until(here, task, State.WAITING)
        await here.revoke(more.connection)
        async with here.home.house.database.read(here.home.org) as session:
            waited = await approvals.waited_for(session, here.home.org, at=datetime.now(UTC))

    assert waited == {made.connection}


async def name(here: Shop, connection: str) -> str:
    async with here.home.house.database.read(here.home.org) as session:
        views = await queries.connections(session, here.home.house.vault, here.home.org)
    (view,) = [each for each in views if str(each.connection) == connection]
    return f"Demo CRM (on this computer): {view.account} ({view.connection.hex[-6:]})"


async def test_connecting_the_same_account_anew_gives_the_waiting_run_its_permission(here: Shop, model: ScriptedModel):
    made = await here.connect("contacts.read")
    says(model, CAMPAIGNS, then="Here they are.")

    async with worker(here):
        task = await sent(here, "show campaigns")
        await until(here, task, State.WAITING)
        anew = await here.connect("contacts.read", "campaigns.read")  # as if nobody had seen the card
        await here.home.house.commands.perform(
            ResumeAfterGrant(principal=here.home.owner, connections=anew.connections)
        )
        await until(here, task, State.DONE)

    assert anew.connection == made.connection
    (answer,) = told(model)
    assert answer["data"]["campaigns"]


async def test_a_new_consent_that_covers_less_becomes_a_connection_of_its_own(here: Shop, model: ScriptedModel):
    made = await here.connect("contacts.read")
    says(model, CAMPAIGNS)

    async with worker(here):
        task = await sent(here, "show campaigns")
        await until(here, task, State.WAITING)
        less = await here.connect("campaigns.read")  # would take reading contacts away from the first

    assert less.connection != made.connection
    async with here.home.house.database.read(here.home.org) as session:
        views = await queries.connections(session, here.home.house.vault, here.home.org)
    assert {each.granted for each in views} == {("contacts.read",), ("campaigns.read",)}
