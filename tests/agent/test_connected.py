"""The agent over connected accounts, end to end: the real gate, handler and broker, and the demonstration on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from integrations.results import Connected
from joule.agent.connected import ACCOUNT, tool_name
from joule.agent.task import Claim, End
from joule.agent.tools import Tool, Toolbox
from joule.kernel.ids import TaskId
from joule.kernel.label import typed_by
from joule.kernel.settings import Settings
from joule.tasks import queries
from joule.tasks.actions import ResumeAfterGrant, StartTask
from joule.tasks.state import State
from tests.support.connecting import Shop, shop
from tests.support.scripted_model import Says, ScriptedModel

READ = ("demo_crm_read_contacts", {"segment": "leads", "limit": 2})
CAMPAIGNS = ("demo_crm_read_campaigns", {})
NOTE = ("demo_crm_create_note", {"contact": "c-1", "text": "Call back"})
LETTER = ("demo_crm_send_newsletter", {"segment": "leads", "subject": "Spring", "text": "It is here."})


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(script=[Says(text="Nothing to do.")])


@pytest.fixture
async def here(settings: Settings, model: ScriptedModel) -> AsyncIterator[Shop]:
    async with shop(settings, model=model) as found:
        yield found


def says(model: ScriptedModel, *calls: tuple[str, dict[str, Any]], then: str = "Done.") -> None:
    """One round for each call, then an answer."""
    model.script = [*(Says(calls=[each]) for each in calls), Says(text=then)]


def told(model: ScriptedModel) -> list[dict[str, Any]]:
    """What the model was told of its last calls."""
    return [json.loads(each.text) for each in model.requests[-1].messages if each.role == "tool"]


def offered(model: ScriptedModel) -> set[str]:
    return {each.name for each in model.requests[-1].tools} - {each.name for each in Toolbox().specs}


async def rows(here: Shop, claim: Claim, call: str) -> list[str]:
    return [each.kind for each in await here.home.events(claim.task) if each.call == call]


async def question(here: Shop, task: TaskId) -> UUID:
    asked = [each for each in await here.home.events(task) if each.kind == "approval.asked"]
    return UUID(asked[-1].attrs["approval_id"])


def again(claim: Claim) -> Claim:
    return replace(claim, attempt=claim.attempt + 1)


async def test_what_is_connected_is_offered_and_reaches_the_account(here: Shop, model: ScriptedModel):
    await here.connect("contacts.read", "campaigns.read")
    says(model, READ)
    claim = here.home.claim("show leads")

    outcome = await here.home.run(claim)

    assert outcome.end is End.DONE
    assert {"demo_crm_read_contacts", "demo_crm_read_campaigns"} <= offered(model)
    (answer,) = told(model)
    assert answer["trust"] == "untrusted"
    assert {each["segment"] for each in answer["data"]["contacts"]} == {"leads"}
    assert "phone" not in answer["data"]["contacts"][0]  # the catalogue does not keep it
    assert await rows(here, claim, "act/0/0") == ["action.intent", "action.result"]


async def test_without_an_account_the_agent_is_what_it_was(here: Shop, model: ScriptedModel):
    await here.home.run(here.home.claim("hello"))

    assert offered(model) == set()
    assert model.requests[0].tools == Toolbox().specs
    assert "Connected accounts" not in model.requests[0].messages[0].text


async def test_arguments_that_do_not_fit_never_reach_the_gate(here: Shop, model: ScriptedModel):
    await here.connect("contacts.read")
    says(model, ("demo_crm_read_contacts", {"segment": "everybody", "evil": 1, "limit": None}))
    claim = here.home.claim("show everybody")

    await here.home.run(claim)

    (answer,) = told(model)
    assert answer["error"] == "joule.invalid"
    assert "segment (enum)" in answer["message"]
    assert "evil" not in answer["message"]
    assert await rows(here, claim, "act/0/0") == []


async def test_two_accounts_are_told_apart_by_name(here: Shop, model: ScriptedModel):
    first, second = await here.connect("campaigns.read"), await here.connect("campaigns.read")
    says(model, CAMPAIGNS)
    await here.home.run(here.home.claim("show campaigns"))
    (refused,) = told(model)
    assert f"{ACCOUNT} is missing" in refused["message"]
    spec = next(each for each in model.requests[0].tools if each.name == CAMPAIGNS[0])
    names = json.loads(spec.parameters)["properties"][ACCOUNT]["enum"]

    used = set()
    for name in names:
        says(model, (CAMPAIGNS[0], {ACCOUNT: name}))
        claim = here.home.claim("show campaigns")
        await here.home.run(claim)
        intent = next(each for each in await here.home.events(claim.task) if each.call == "act/0/0")
        used.add(UUID(intent.content["args"]["connection"]))

    assert used == {first.connection, second.connection}


async def test_a_letter_to_people_waits_for_a_person_and_goes_out_once(here: Shop, model: ScriptedModel):
    await here.connect("newsletter.send")
    says(model, LETTER)
    claim = here.home.claim("Send the Spring newsletter to leads: It is here.")

    first = await here.home.run(claim)

    assert first.end is End.WAITING
    assert here.newsletters == []
    await answered(here, claim, approved=True)
    second = await here.home.run(again(claim))
    third = await here.home.run(again(again(claim)))
    assert (second.end, third.end) == (End.DONE, End.DONE)
    assert [each["subject"] for each in here.newsletters] == ["Spring"]


async def answered(here: Shop, claim: Claim, *, approved: bool) -> None:
    """As a person answers, whatever the queue knows of the task."""
    from joule.governance import approvals

    person = here.home.owner.person
    assert person is not None
    async with here.home.house.database.write(here.home.org) as session:
        at = here.home.house.clock.now()
        asked = await question(here, claim.task)
        await approvals.answer(session, here.home.org, asked, by=person, approved=approved, at=at)


async def test_a_note_where_the_person_said_is_written_and_elsewhere_is_asked_about(here: Shop, model: ScriptedModel):
    await here.connect("notes.write")
    says(model, NOTE)

    named = await here.home.run(here.home.claim("Add a note to c-1: Call back"))
    elsewhere = await here.home.run(here.home.claim("Add a note to somebody"))

    assert (named.end, elsewhere.end) == (End.DONE, End.WAITING)
    assert [each["contact"] for each in here.notes] == ["c-1"]


async def test_a_lacking_permission_pauses_the_run_and_once_given_it_goes_on(here: Shop, model: ScriptedModel):
    made = await here.connect("contacts.read")
    says(model, READ, CAMPAIGNS, then="Both are here.")
    stop = asyncio.Event()
    working = asyncio.create_task(here.home.serve(stop))
    task = await sent(here, "show leads, then campaigns")

    await until(here, task, State.WAITING)
    asked = [each for each in await here.home.events(task) if each.kind == "approval.asked"]
    assert [each.attrs["code"] for each in asked] == ["integrations.scope_missing"]
    assert asked[0].content["grant"] == {"connection": str(made.connection), "scopes": ["campaigns.read"]}

    more = await here.connect("contacts.read", "campaigns.read", connection=made.connection)
    assert more.connection == made.connection
    await here.home.house.commands.perform(ResumeAfterGrant(principal=here.home.owner, connections=more.connections))
    await until(here, task, State.DONE)

    stop.set()
    await working
    kinds = [each.kind for each in await here.home.events(task) if each.call == "act/1/0"]
    assert kinds == ["action.intent", "approval.asked", "approval.given", "action.intent", "action.result"]
    contacts, campaigns = told(model)
    assert contacts["data"]["contacts"]
    assert campaigns["data"]["campaigns"]
    reads = [each for each in await here.home.events(task) if each.call == "act/0/0" and each.kind == "action.intent"]
    assert len(reads) == 1  # what was done before is not done again


async def test_an_account_connected_for_reading_can_be_given_more_in_mid_run(here: Shop, model: ScriptedModel):
    made = await here.connect("contacts.read", read_only=True)
    says(model, NOTE)
    claim = here.home.claim("Add a note to c-1: Call back")
    assert (await here.home.run(claim)).end is End.WAITING
    assert here.notes == []

    await given(here, await here.connect("contacts.read", "notes.write", connection=made.connection))
    outcome = await here.home.run(again(claim))

    assert outcome.end is End.DONE
    assert [each["contact"] for each in here.notes] == ["c-1"]


async def test_a_permission_nobody_gives_is_a_refusal_the_model_hears(here: Shop, model: ScriptedModel):
    await here.connect("contacts.read")
    says(model, CAMPAIGNS, then="I may not see them.")
    claim = here.home.claim("show campaigns")
    assert (await here.home.run(claim)).end is End.WAITING
    await answered(here, claim, approved=False)

    outcome = await here.home.run(again(claim))

    assert outcome.answer == "I may not see them. "
    (answer,) = told(model)
    assert answer["error"] == "gate.refused"
    assert "a person declined it" in answer["message"]


async def test_a_letter_that_lacks_a_permission_is_approved_once_and_sent_once(here: Shop, model: ScriptedModel):
    made = await here.connect("contacts.read")
    says(model, LETTER)
    claim = here.home.claim("Send the Spring newsletter to leads: It is here.")
    await here.home.run(claim)
    await answered(here, claim, approved=True)
    second = await here.home.run(again(claim))
    assert second.end is End.WAITING
    assert here.newsletters == []

    more = await here.connect("contacts.read", "newsletter.send", connection=made.connection)
    await given(here, more)
    third = await here.home.run(again(again(claim)))

    assert third.end is End.DONE
    assert len(here.newsletters) == 1


async def given(here: Shop, more: Connected) -> None:
    from joule.governance import approvals

    person = here.home.owner.person
    assert person is not None
    async with here.home.house.database.write(here.home.org) as session:
        at = here.home.house.clock.now()
        await approvals.granted(session, here.home.org, connections=more.connections, by=person, at=at)


async def test_a_revoked_account_refuses_the_next_call_and_the_answer_says_so(settings: Settings):
    async with shop(settings) as here:  # the offline model: what it says is what people read
        made = await here.connect("campaigns.read")
        first = await here.home.run(here.home.claim("Show campaigns from the demo CRM"))
        assert "Spring collection" in (first.answer or "")

        claim = here.home.claim("Show campaigns from the demo CRM")
        gate = here.home.house.gate
        described = next(kind for kind in gate.methods if kind.name == "integrations.describe_connections")
        method = gate.methods[described]

        async def then_revoked(permit: Any, action: Any) -> Any:
            found = await method(permit, action)
            await here.revoke(made.connection)
            return found

        gate.methods[described] = then_revoked
        second = await here.home.run(claim)

    assert second.end is End.DONE
    assert "was disconnected" in (second.answer or "")
    assert "Ask a workspace admin to connect" in (second.answer or "")


async def test_a_resumed_task_is_offered_the_same_though_the_account_is_gone(here: Shop, model: ScriptedModel):
    made = await here.connect("contacts.read")
    says(model, CAMPAIGNS, then="Gone.")
    claim = here.home.claim("show campaigns")
    assert (await here.home.run(claim)).end is End.WAITING
    before = model.requests[0].tools
    await here.revoke(made.connection)  # which answers what the run waits for

    outcome = await here.home.run(again(claim))

    assert outcome.end is End.DONE
    assert model.requests[-1].tools == before
    (answer,) = told(model)
    assert answer["error"] == "gate.refused"
    assert "was disconnected" in answer["message"]
    await here.home.run(here.home.claim("show campaigns"))
    assert offered(model) == set()


async def test_the_offline_model_uses_a_connected_account_in_plain_words(settings: Settings):
    async with shop(settings) as here:
        await here.connect("contacts.read", "campaigns.read", "notes.write")

        async def ask(words: str) -> str:
            return (await here.home.run(here.home.claim(words))).answer or ""

        assert "Demo CRM" in await ask("What accounts are connected?")
        assert "Spring collection" in await ask("Show the running campaigns from the demo CRM")
        assert "contacts" in await ask("How many contacts are in the demo CRM?")
        assert (await ask("Add a note to c-1 in the demo CRM: Call back")).startswith("Done at")
        assert [each["text"] for each in here.notes] == ["Call back"]


def test_of_two_tools_with_one_name_the_first_is_offered():
    ours = Toolbox().specs[0].name
    made = [
        Tool(name=name, description=words, arguments={"type": "object"}, action=lambda given, shared: NotImplemented)
        for name, words in ((ours, "another's"), ("served", "first"), ("served", "second"))
    ]

    specs = Toolbox().joined(*made).specs

    assert [each.description for each in specs if each.name == "served"] == ["first"]
    assert specs[: len(Toolbox().specs)] == Toolbox().specs
    assert len(specs) == len(Toolbox().specs) + 1


def test_every_operation_of_the_catalogue_has_a_tool_name_of_its_own():
    from integrations.catalogue.load import catalogue

    named: dict[str, list[str]] = {}
    for provider in catalogue().providers.values():
        for operation in provider.operations.values():
            assert ACCOUNT not in operation.schema()["properties"]
            named.setdefault(tool_name(provider.id, operation.id), []).append(f"{provider.id}.{operation.id}")
    doubled = {name: found for name, found in named.items() if len(found) > 1}
    assert doubled == {}
    assert not set(named) & {each.name for each in Toolbox().specs}


async def sent(here: Shop, words: str) -> TaskId:
    person = here.home.owner.person
    assert person is not None
    started = await here.home.house.commands.perform(
        StartTask(principal=here.home.owner, project=here.home.project, text=words, label=typed_by(person))
    )
    return started.task


async def until(here: Shop, task: TaskId, state: State) -> None:
    async with asyncio.timeout(20):
        while True:
            async with here.home.house.database.read(here.home.org) as session:
                view = await queries.task(session, here.home.house.vault, here.home.org, task)
            if view.facts.state is state:
                return
            await asyncio.sleep(0.05)
