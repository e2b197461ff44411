"""A replay of a task over connected accounts reads the record alone: the account may be gone, and no call is made."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from joule.agent.task import Claim, End
from joule.governance import approvals
from joule.kernel.settings import Settings
from joule.replay.actions import ReplayTask
from joule.replay.replaying import replay
from joule.replay.report import Divergence, ReplayReport, Verdict
from tests.support.connecting import Shop, shop
from tests.support.scripted_model import Says, ScriptedModel
from traces import sealing
from traces.reader import TaskEvent

SCRIPT = [
    Says(calls=[("demo_crm_read_contacts", {"limit": 2}), ("demo_crm_read_campaigns", {})]),
    Says(text="Here they are."),
]


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Shop]:
    async with shop(settings, model=ScriptedModel(script=SCRIPT)) as found:
        yield found


async def replayed(here: Shop, claim: Claim, events: list[TaskEvent] | None = None) -> ReplayReport:
    house = here.home.house
    async with house.database.read(here.home.org) as session:
        keyring = await sealing.ring(session, house.vault, here.home.org, claim.task)
    return await replay(
        events or await here.home.events(claim.task),
        org=here.home.org,
        task=claim.task,
        keyring=keyring,
        policy=house.gate.policy,
        settings=house.settings.task,
    )


async def test_it_is_identical_though_the_account_is_gone(here: Shop):
    made = await here.connect("contacts.read", "campaigns.read")
    claim = here.home.claim("show me both")
    assert (await here.home.run(claim)).end is End.DONE
    await here.revoke(made.connection)

    report = await here.home.house.commands.perform(ReplayTask(principal=here.home.owner, task=claim.task))

    assert (report.verdict, report.differences, report.effects) == (Verdict.IDENTICAL, (), 0)


async def test_one_that_waits_for_a_permission_and_one_that_got_it_are_identical(here: Shop):
    made = await here.connect("contacts.read")
    claim = here.home.claim("show me both")
    assert (await here.home.run(claim)).end is End.WAITING

    waiting = await replayed(here, claim)

    assert (waiting.verdict, waiting.differences) == (Verdict.IDENTICAL, ())
    more = await here.connect("contacts.read", "campaigns.read", connection=made.connection)
    person = here.home.owner.person
    assert person is not None
    async with here.home.house.database.write(here.home.org) as session:
        at = here.home.house.clock.now()
        await approvals.granted(session, here.home.org, connections=more.connections, by=person, at=at)
    assert (await here.home.run(dataclasses.replace(claim, attempt=2))).end is End.DONE

    ended = await replayed(here, claim)

    assert (ended.verdict, ended.differences) == (Verdict.IDENTICAL, ())


async def test_a_record_from_before_accounts_could_be_connected_is_still_identical(here: Shop):
    claim = here.home.claim("show me both")
    await here.home.run(claim)
    before = []
    for event in await here.home.events(claim.task):
        content = {name: value for name, value in event.content.items() if name != "connections"}
        if event.call != "context/connections":
            before.append(dataclasses.replace(event, content=content))

    assert (await replayed(here, claim, before)).verdict is Verdict.IDENTICAL


async def test_another_catalogue_is_told_as_another_version(here: Shop):
    await here.connect("contacts.read", "campaigns.read")
    claim = here.home.claim("show me both")
    await here.home.run(claim)
    older = []
    for event in await here.home.events(claim.task):
        content = dict(event.content)
        if event.call == "context/connections" and event.kind == "action.result":
            content["result"] = {**content["result"], "catalogue_version": "0123456789abcdef"}
        older.append(dataclasses.replace(event, content=content))

    report = await replayed(here, claim, older)

    assert report.verdict is Verdict.IDENTICAL
    assert [(each.kind, each.field) for each in report.differences] == [(Divergence.VERSION, "catalogue")]
    assert report.differences[0].recorded == "0123456789ab"


async def test_what_was_asked_of_an_account_is_compared(here: Shop):
    await here.connect("contacts.read", "campaigns.read")
    claim = here.home.claim("show me both")
    await here.home.run(claim)
    events = [
        dataclasses.replace(event, attrs={**event.attrs, "binding": "0" * 64})
        if event.call == "act/0/1" and "binding" in event.attrs
        else event
        for event in await here.home.events(claim.task)
    ]

    report = await replayed(here, claim, events)

    assert (report.differences[0].kind, report.differences[0].at) == (Divergence.ARGUMENTS, "act/0/1")
