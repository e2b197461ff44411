"""What other policies would have decided: over one task, over days, from recorded facts alone."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from joule.agent.task import Claim
from joule.database.server import ServerAddress
from joule.governance.policy import Policy, shipped
from joule.governance.rules.actions import DraftPolicy
from joule.kernel.errors import Invalid, NotFound, Refused
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import DatabaseSettings, Settings, VaultSettings
from joule.replay import _spans, queries
from joule.replay.actions import AskWhatIfOfTask, BeginWhatIf, ForgetWhatIfs, GoOnWithWhatIf
from joule.replay.judging import Change, Word, change_of, judge
from joule.replay.queries import WhatIfView
from tests.support.house import Home, home
from tests.support.postgres import TestServer
from tests.support.scripted_model import Says, ScriptedModel

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_FILES = (
    '@id("no files") @reason("we keep no files here") forbid (principal, '
    'action == Joule::Action::"memory.write_file", resource) when { context.via == "agent" };'
)
ASK_FIRST = NO_FILES.replace('when { context.via == "agent" }', "unless { context.approved }")
SCRIPT = [
    Says(calls=[("list_files", {}), ("write_file", {"file_name": "plan.md", "text": "x"})]),
    Says(text="Done."),
]
FACTS = {
    "role": "member",
    "via": "agent",
    "effect": "write",
    "purpose": "essential.service",
    "integrity": "trusted",
    "training": "denied",
    "provenance": "words",
    "approved": False,
}


@pytest.fixture(scope="module")
def place(test_server: TestServer) -> Iterator[ServerAddress]:
    with test_server.clone() as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(place: ServerAddress, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder: Path = tmp_path_factory.mktemp("what-if")
    settings = Settings(
        home=folder,
        environment="test",
        database=DatabaseSettings(url=place.app_url, owner_url=place.owner_url),
        vault=VaultSettings(key_file=folder / "keys" / "kek.json"),
    )
    async with home(settings, model=ScriptedModel(script=SCRIPT)) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ran(here: Home) -> Claim:
    claim = here.claim("write plan.md")
    await here.run(claim)
    return claim


async def draft(here: Home, text: str) -> UUID:
    return (await here.house.commands.perform(DraftPolicy(principal=here.owner, text=text))).version


async def finished(here: Home, what_if: UUID) -> WhatIfView:
    perform = here.house.commands.perform
    while not (await perform(GoOnWithWhatIf(principal=here.owner, what_if=what_if))).done:
        pass
    async with here.house.database.read(here.org) as session:
        return await queries.what_if(session, here.org, what_if)


async def asked(here: Home, *, days: int = 30, version: UUID | None = None) -> WhatIfView:
    begun = await here.house.commands.perform(BeginWhatIf(principal=here.owner, days=days, version=version))
    return await finished(here, begun.what_if)


async def test_what_was_decided_is_what_the_same_policies_decide(here: Home, ran: Claim):
    found = await asked(here)

    assert found.decisions > 8
    assert found.changed == ()
    assert {each.then for each in found.lines} == {Word.ALLOW}


async def test_each_decision_that_would_be_another_is_counted_with_an_example(here: Home, ran: Claim):
    denied = await asked(here, version=await draft(here, NO_FILES))
    asking = await asked(here, version=await draft(here, ASK_FIRST))

    (line,) = denied.changed
    assert (line.action, line.then, line.now, line.times) == ("memory.write_file", Word.ALLOW, Word.DENY, 1)
    (example,) = line.examples
    rows = {each.seq: each for each in await here.events(ran.task)}
    assert (example.task, rows[example.seq].attrs["action"]) == (ran.task, "memory.write_file")
    assert example.policies == (f"own.v{denied.number}.1",)
    assert [each.now for each in asking.changed] == [Word.ASK]
    assert (denied.count(Change.DENIED), asking.count(Change.ASKED)) == (1, 1)


async def test_what_comes_after_a_changed_decision_of_a_task_is_said_to_be_unknown(here: Home, ran: Claim):
    version = await draft(here, NO_FILES)

    support = Principal(org=here.org, person=here.owner.person, role=Role.SUPPORT, via=Via.PERSON)
    found = await here.house.commands.perform(AskWhatIfOfTask(principal=support, task=ran.task, version=version))

    changed = next(each for each in found.lines if each.change is Change.DENIED)
    assert (changed.call, changed.then, changed.now) == ("act/0/1", Word.ALLOW, Word.DENY)
    assert found.count(Change.DENIED) == 1
    assert [each.unknown_after for each in found.lines] == [each.seq > changed.seq for each in found.lines]
    with pytest.raises(NotFound):
        await here.house.commands.perform(AskWhatIfOfTask(principal=support, task=TaskId(new_id())))
    member = Principal(org=here.org, person=here.owner.person, role=Role.MEMBER, via=Via.PERSON)
    with pytest.raises(Refused):
        await here.house.commands.perform(AskWhatIfOfTask(principal=member, task=ran.task))


async def test_pieces_come_to_the_same_as_one_and_are_gone_on_with_where_they_ended(
    here: Home, ran: Claim, monkeypatch: pytest.MonkeyPatch
):
    version = await draft(here, NO_FILES)
    begun = await here.house.commands.perform(BeginWhatIf(principal=here.owner, days=1, version=version))
    other = await here.house.commands.perform(BeginWhatIf(principal=here.owner, days=1, version=version))
    whole = await finished(here, begun.what_if)
    monkeypatch.setattr(_spans, "PIECE", 3)

    told = []
    while not told or not told[-1].done:
        told.append(await here.house.commands.perform(GoOnWithWhatIf(principal=here.owner, what_if=other.what_if)))
        assert len(told) < 200

    assert len(told) > 5
    assert [each.percent for each in told] == sorted(each.percent for each in told)
    async with here.house.database.read(here.org) as session:
        pieced = await queries.what_if(session, here.org, other.what_if)
    # The one that began later also counts the command that began the other.
    later = sum(each.times for each in pieced.lines if each.action.startswith("replay."))
    earlier = sum(each.times for each in whole.lines if each.action.startswith("replay."))
    assert pieced.decisions - later == whole.decisions - earlier
    assert [(e.action, e.times) for e in pieced.changed] == [(e.action, e.times) for e in whole.changed]


async def test_a_draft_that_is_saved_over_meanwhile_is_judged_from_the_start(here: Home, ran: Claim):
    version = await draft(here, NO_FILES)
    begun = await here.house.commands.perform(BeginWhatIf(principal=here.owner, days=1, version=version))
    await draft(here, ASK_FIRST)

    found = await finished(here, begun.what_if)

    assert [each.now for each in found.changed] == [Word.ASK]


async def test_what_the_record_does_not_hold_is_undecidable_and_never_allowed(
    here: Home, ran: Claim, place: ServerAddress
):
    """As if it had been written by a release that recorded one fact less."""
    org = OrgId(new_id())
    with psycopg.connect(place.owner_url.replace("joule_owner", "postgres"), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO trace_event (org_id, task_id, seq, retention, at, kind, call, action, decision, head, hash) "
            "SELECT %s, task_id, seq, retention, at, kind, call, action, decision, "
            "convert_to(replace(convert_from(head, 'UTF8'), '\"via\":\"agent\"', '\"hand\":\"agent\"'), 'UTF8'), hash "
            "FROM trace_event WHERE task_id = %s",
            [org, ran.task],
        )
    policy = Policy(shipped(), actions=here.house.gate.methods)

    tally = _spans.Tally()
    now = here.house.clock.now()
    async with here.house.database.read(org) as session:
        await _spans.piece(session, org, tally, policy, start=now - timedelta(days=1), until=now)

    assert tally.decisions > 5
    assert {word for lines in tally.found.values() for word in lines} == {"allow>undecidable"}


async def test_nobody_elses_decisions_are_counted_and_a_span_has_its_bounds(here: Home, ran: Claim):
    stranger = Principal(org=OrgId(new_id()), person=here.owner.person, role=Role.OWNER, via=Via.PERSON)
    begun = await here.house.commands.perform(BeginWhatIf(principal=stranger, days=30))

    found = await here.house.commands.perform(GoOnWithWhatIf(principal=stranger, what_if=begun.what_if))
    assert found.decisions == 1  # that it was asked
    with pytest.raises(NotFound):
        await here.house.commands.perform(GoOnWithWhatIf(principal=here.owner, what_if=begun.what_if))
    for days in (0, 2558):
        with pytest.raises(Invalid):
            await here.house.commands.perform(BeginWhatIf(principal=here.owner, days=days))


async def test_a_report_goes_when_its_time_is_over(here: Home, ran: Claim, place: ServerAddress):
    old = await asked(here)
    kept = await asked(here)
    with psycopg.connect(place.owner_url.replace("joule_owner", "postgres"), autocommit=True) as connection:
        connection.execute("UPDATE what_if SET expires_at = now() WHERE id = %s", [old.what_if])
    system = Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)

    gone = await here.house.commands.perform(ForgetWhatIfs(principal=system))

    assert gone.reports == 1
    async with here.house.database.read(here.org) as session:
        left = {each.what_if for each in await queries.what_ifs(session, here.org)}
    assert kept.what_if in left
    assert old.what_if not in left


@pytest.mark.parametrize(
    ("then", "now", "change"),
    [
        (Word.ALLOW, Word.ALLOW, Change.UNCHANGED),
        (Word.ALLOW, Word.DENY, Change.DENIED),
        (Word.ASK, Word.DENY, Change.DENIED),
        (Word.ALLOW, Word.ASK, Change.ASKED),
        (Word.DENY, Word.ASK, Change.ASKED),
        (Word.DENY, Word.ALLOW, Change.ALLOWED),
        (Word.ASK, Word.ALLOW, Change.ALLOWED),
        (Word.DENY, Word.UNDECIDABLE, Change.UNDECIDABLE),
    ],
)
async def test_what_becomes_of_a_decision(then: Word, now: Word, change: Change):
    assert change_of(then, now) is change


async def test_an_action_nobody_knows_any_more_is_undecidable(here: Home):
    policy = here.house.policy

    assert judge(policy, "memory.write_file", FACTS).word is Word.ALLOW
    assert judge(policy, "memory.paint_file", FACTS).word is Word.UNDECIDABLE
    assert judge(policy, "memory.write_file", {**FACTS, "role": "support"}).word is Word.DENY
