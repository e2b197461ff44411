"""A replay is the same agent over the record: identical today, or the first difference by call and field."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from joule.agent.task import End
from joule.database.server import ServerAddress
from joule.governance import approvals
from joule.governance.policy import Policy, shipped
from joule.kernel.errors import Refused
from joule.kernel.principal import Role, Via
from joule.kernel.settings import DatabaseSettings, Settings, VaultSettings
from joule.replay.actions import ReplayTask
from joule.replay.replaying import replay
from joule.replay.report import Divergence, Verdict
from tests.support.house import Home, home
from tests.support.postgres import TestServer
from tests.support.scripted_model import Says, ScriptedModel
from traces import sealing

SCRIPT = [
    Says(text="Let me look.", calls=[("list_files", {}), ("read_file", {"file_name": "a.txt"})]),
    Says(calls=[("write_file", {"file_name": "plan.md", "text": "x"}), ("remember", {"text": "we like blue"})]),
    Says(text="Saved plan.md."),
]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def place(test_server: TestServer) -> Iterator[ServerAddress]:
    with test_server.clone() as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(place: ServerAddress, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder: Path = tmp_path_factory.mktemp("replay")
    at = Settings(
        home=folder,
        environment="test",
        database=DatabaseSettings(url=place.app_url, owner_url=place.owner_url),
        vault=VaultSettings(key_file=folder / "keys" / "kek.json"),
    )
    async with home(at, model=ScriptedModel(script=SCRIPT)) as found:
        await found.upload("a.txt", b"hello")
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ran(here: Home):
    claim = here.claim("Write plan.md and remember that we like blue")
    await here.run(claim)
    return claim


async def again(here: Home, claim, events=None, policy: Policy | None = None):
    async with here.house.database.read(here.org) as session:
        keyring = await sealing.ring(session, here.house.vault, here.org, claim.task)
    return await replay(
        events or await here.events(claim.task),
        org=here.org,
        task=claim.task,
        keyring=keyring,
        policy=policy or here.house.gate.policy,
        settings=here.house.settings.task,
    )


async def test_a_faithful_replay_is_identical_and_changes_nothing(here: Home, ran):
    before = len(await here.events(ran.task))

    report = await here.house.commands.perform(ReplayTask(principal=here.owner, task=ran.task))

    assert report.verdict is Verdict.IDENTICAL
    assert report.differences == ()
    assert report.effects == 0
    assert len(await here.events(ran.task)) == before


async def test_support_may_replay_and_a_member_may_not(here: Home, ran):
    support = dataclasses.replace(here.owner, role=Role.SUPPORT, via=Via.PERSON)
    assert (
        await here.house.commands.perform(ReplayTask(principal=support, task=ran.task))
    ).verdict is Verdict.IDENTICAL

    member = dataclasses.replace(here.owner, role=Role.MEMBER)
    with pytest.raises(Refused):
        await here.house.commands.perform(ReplayTask(principal=member, task=ran.task))


async def test_a_changed_policy_is_found_at_the_call_it_decides(here: Home, ran):
    stricter = Policy(
        shipped() + '@id("x") @reason("no writing") forbid (principal, action == '
        'Joule::Action::"memory.write_file", resource);',
        actions=here.house.gate.methods,
    )

    report = await again(here, ran, policy=stricter)

    found = report.differences[0]
    assert (found.kind, found.at, found.recorded, found.now) == (Divergence.DECISION, "act/1/0", "allow", "deny")


@pytest.mark.parametrize(
    ("call", "kind"),
    [("act/0/1", Divergence.ARGUMENTS), ("model/1", Divergence.REQUEST), ("context/files", Divergence.ARGUMENTS)],
)
async def test_a_changed_request_is_found(here: Home, ran, call: str, kind: Divergence):
    events = [
        dataclasses.replace(e, attrs={**e.attrs, "binding": "0" * 64}) if e.call == call and "binding" in e.attrs else e
        for e in await here.events(ran.task)
    ]

    report = await again(here, ran, events)

    assert (report.differences[0].kind, report.differences[0].at) == (kind, call)


async def test_a_call_that_is_no_longer_recorded_is_found(here: Home, ran):
    events = [e for e in await here.events(ran.task) if e.call != "act/1/1"]

    report = await again(here, ran, events)

    assert (report.differences[0].kind, report.differences[0].at) == (Divergence.CALLS, "act/1/1")


async def test_a_call_that_is_no_longer_made_is_found(here: Home, ran):
    events = list(await here.events(ran.task))
    events.insert(-1, dataclasses.replace(events[2], call="act/7/7"))

    report = await again(here, ran, events)

    assert (report.differences[0].kind, report.differences[0].at) == (Divergence.CALLS, "act/7/7")


async def test_another_answer_is_found(here: Home, ran):
    events = [
        dataclasses.replace(e, content={"answer": "something else"}) if e.kind == "task.ended" else e
        for e in await here.events(ran.task)
    ]

    assert (await again(here, ran, events)).differences[0].kind is Divergence.ANSWER


async def test_erased_content_is_said_to_be_not_replayable(here: Home, ran):
    events = [dataclasses.replace(e, content={}) for e in await here.events(ran.task)]

    assert (await again(here, ran, events)).verdict is Verdict.NOT_REPLAYABLE


async def test_a_new_version_that_does_the_same_is_identical_and_says_so(here: Home, ran):
    events = [
        dataclasses.replace(e, attrs={**e.attrs, "prompt": "0" * 64}) if e.kind == "task.started" else e
        for e in await here.events(ran.task)
    ]

    report = await again(here, ran, events)

    assert report.verdict is Verdict.IDENTICAL
    assert [d.field for d in report.differences] == ["prompt"]


async def test_a_role_that_changed_while_a_person_was_asked_is_no_divergence(settings: Settings):
    script = [Says(calls=[("write_file", {"file_name": "chosen.md", "text": "x"})]), Says(text="Done.")]
    async with home(settings, model=ScriptedModel(script=script)) as here:
        claim = here.claim("write something nice")
        await here.run(claim)
        asked = next(each for each in await here.events(claim.task) if each.kind == "approval.asked")
        async with here.house.database.write(here.org) as session:
            await approvals.answer(
                session,
                here.org,
                UUID(asked.attrs["approval_id"]),
                by=here.owner.person,
                approved=True,
                at=here.house.clock.now(),
            )
        as_member = dataclasses.replace(claim.principal, role=Role.MEMBER)
        ended = await here.run(dataclasses.replace(claim, attempt=2, principal=as_member))

        report = await again(here, claim)

    assert ended.end is End.DONE
    assert report.verdict is Verdict.IDENTICAL, report.differences
