"""What is past its time, or is asked to go, cannot be read by anybody any more; what is on hold stays."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from joule.assembly.upkeep import journal_sweep_of
from joule.identity.actions import InvitePerson
from joule.identity.queries import people
from joule.kernel.errors import Invalid, Refused
from joule.kernel.ids import PersonId, TaskId
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.privacy import receipts
from joule.privacy.actions import (
    EraseOrganisation,
    ErasePerson,
    EraseTask,
    ExportPerson,
    LiftHold,
    PlaceHold,
    SetRetention,
)
from joule.tasks import queries as tasks
from joule.tasks.actions import DeleteThread, StartTask
from joule.vault.errors import Shredded
from memory.actions import ListItems, Remember
from tests.support.clock import StoppedClock
from tests.support.house import Home, home
from traces import reader, sealing
from traces.ending.erasing import erasures_of
from traces.ending.errors import OnHold
from traces.ending.holds import Scope

WORDS = "zirkonlampe"
SPOKEN = f"{WORDS}|{WORDS.encode().hex()}|example.test|Ada"


@pytest.fixture
async def here(settings: Settings, clock: StoppedClock) -> AsyncIterator[Home]:
    async with home(settings, clock=clock) as made:
        yield made


async def said(here: Home, words: str = WORDS, who: Principal | None = None) -> TaskId:
    """A task that was asked for by `who` and has been run."""
    who = who or here.owner
    started = await here.house.commands.perform(StartTask(principal=who, project=here.project, text=words))
    claim = here.claim(words, task=started.task)
    await here.run(claim)
    return started.task


async def ring_opens(here: Home, task: TaskId) -> bool:
    """Whether anybody could still read the journal of a task."""
    async with here.house.database.read(here.org) as session:
        try:
            keyring = await sealing.ring(session, here.house.vault, here.org, task)
        except Shredded:
            return False
        events = await reader.events(session, keyring, here.org, task)
        return any(event.content for event in events)


async def later(here: Home, clock: StoppedClock, by: timedelta) -> None:
    """Let time pass, with the journal's partitions kept ahead."""
    for _ in range(max(1, by.days // 10)):
        clock.advance(by / max(1, by.days // 10))
        async with here.house.database.unscoped() as session:
            await here.house.journals.ensure_partitions(session, "90d")


async def newest_receipt(here: Home) -> receipts.Receipt:
    async with here.house.database.read(here.org) as session:
        return (await receipts.listed(session, here.org))[0]


async def member(here: Home, name: str = "Grace") -> Principal:
    made = await here.house.commands.perform(
        InvitePerson(principal=here.owner, person_name=name, email=f"{name}@example.test".lower(), role=Role.MEMBER)
    )
    return Principal(org=here.org, person=made.person, role=Role.MEMBER, via=Via.PERSON)


async def test_a_day_is_kept_whole_and_is_unreadable_from_the_midnight_after_its_days(
    here: Home, clock: StoppedClock
) -> None:
    await here.house.commands.perform(SetRetention(principal=here.owner, days=3))
    sweep, task = journal_sweep_of(here.house), await said(here)

    await later(here, clock, timedelta(days=3, hours=11, minutes=59))
    early = await sweep.run()
    readable = await ring_opens(here, task)
    await later(here, clock, timedelta(minutes=2))
    due = await sweep.run()

    assert (early.days, readable) == (0, True)
    assert (due.days, due.failed) == (1, ())
    assert not await ring_opens(here, task)
    async with here.house.database.read(here.org) as session:
        state = await reader.chain_of(session, here.org, task)
        assert state is not None
        assert await reader.verify_task(session, here.org, task) == state.next_seq  # the record itself is whole
        gone = await erasures_of(session, here.org, task, state.subject)
        assert [(each.cause, each.at) for each in gone] == [("retention", clock.now())]
        assert (await tasks.words(session, here.house.vault, here.org, task))[0] == WORDS  # the conversation is kept
    receipt = await newest_receipt(here)
    assert (receipt.kind, receipt.went["days"]) == ("retention", 1)
    assert (await sweep.run()).days == 0


async def test_a_hold_on_one_task_keeps_it_while_its_day_ends_for_the_others(here: Home, clock: StoppedClock) -> None:
    await here.house.commands.perform(SetRetention(principal=here.owner, days=1))
    held, other = await said(here), await said(here, "something else")
    place = PlaceHold(principal=here.owner, scope=Scope.TASK, subject=held, reason="a dispute")
    hold = (await here.house.commands.perform(place)).hold
    with pytest.raises(Invalid):
        await here.house.commands.perform(place)
    await later(here, clock, timedelta(days=2))
    sweep = journal_sweep_of(here.house)

    kept = await sweep.run()

    assert kept.days == 1
    assert await ring_opens(here, held)
    assert not await ring_opens(here, other)
    with pytest.raises(OnHold):
        await here.house.commands.perform(EraseTask(principal=here.owner, task=held))
    await here.house.commands.perform(LiftHold(principal=here.owner, hold=hold))
    await sweep.run()
    assert not await ring_opens(here, held)


async def test_on_hold_nothing_of_an_organisation_goes_until_it_is_lifted(here: Home, clock: StoppedClock) -> None:
    await here.house.commands.perform(SetRetention(principal=here.owner, days=1))
    started = await here.house.commands.perform(StartTask(principal=here.owner, project=here.project, text=WORDS))
    await here.run(here.claim(WORDS, task=started.task))
    hold = await here.house.commands.perform(
        PlaceHold(principal=here.owner, scope=Scope.ORGANISATION, reason="a law suit")
    )
    await later(here, clock, timedelta(days=3))
    sweep = journal_sweep_of(here.house)

    assert (await sweep.run()).days == 0
    for wish in (
        DeleteThread(principal=here.owner, thread=started.thread),
        EraseTask(principal=here.owner, task=started.task),
        EraseOrganisation(principal=here.owner),
    ):
        with pytest.raises(OnHold) as refused:
            await here.house.commands.perform(wish)
        assert "Ask an owner" in refused.value.advice()
    assert await ring_opens(here, started.task)

    await here.house.commands.perform(LiftHold(principal=here.owner, hold=hold.hold))
    assert (await sweep.run()).days == 1
    assert not await ring_opens(here, started.task)
    await here.house.commands.perform(DeleteThread(principal=here.owner, thread=started.thread))


async def test_an_erased_task_is_a_place_without_a_word(here: Home) -> None:
    task, other = await said(here), await said(here, "stays")
    stranger = await member(here)
    with pytest.raises(Refused):
        await here.house.commands.perform(EraseTask(principal=here.owner.as_agent(), task=task))
    with pytest.raises(Exception, match="belongs to somebody else"):
        await here.house.commands.perform(EraseTask(principal=stranger, task=task))
    assert await ring_opens(here, task)

    erased = await here.house.commands.perform(EraseTask(principal=here.owner, task=task))

    assert not await ring_opens(here, task)
    assert await ring_opens(here, other)
    async with here.house.database.read(here.org) as session:
        assert await tasks.words(session, here.house.vault, here.org, task) == (None, None)
    receipt = await newest_receipt(here)
    assert (receipt.id, receipt.kind, receipt.subject) == (erased.receipt, "task", task)
    assert any("list of steps" in each for each in receipt.stays)


async def test_an_erased_person_has_no_name_no_words_and_no_log_of_commands(here: Home, owner_url: str) -> None:
    who = await member(here, "Grace")
    assert who.person is not None
    mine = await here.house.commands.perform(StartTask(principal=who, project=here.project, text=WORDS))
    await here.run(here.claim(WORDS, task=mine.task))
    await here.house.commands.perform(Remember(principal=who, project=here.project, text="grace likes zirkon"))
    await here.house.commands.perform(Remember(principal=here.owner, project=here.project, text="stays"))
    told = await here.house.commands.perform(ExportPerson(principal=who, person=who.person))
    assert {each.what: each.count for each in told.holds}["messages"] == 1
    by_hand = commands_of(owner_url, who.person)
    assert [await ring_opens(here, each) for each in by_hand] == [True] * len(by_hand)

    erased = await here.house.commands.perform(ErasePerson(principal=here.owner, person=who.person))

    went = {each.what: each.count for each in erased.went}
    assert (went["conversations"], went["tasks"], went["remembered"], went["names"]) == (1, 1, 1, 1)
    assert len(by_hand) == 3
    assert [await ring_opens(here, each) for each in by_hand] == [False] * 3
    left = await here.house.commands.perform(ListItems(principal=here.owner, project=here.project))
    assert [each.text for each in left.items] == ["stays"]
    again = await here.house.commands.perform(ExportPerson(principal=here.owner, person=who.person))
    assert {each.what: each.count for each in again.holds if each.count} == {"account": 1}
    assert await names_of(here) == ["Ada", "Erased person"]


async def test_an_erased_organisation_leaves_no_key_no_row_and_a_receipt(here: Home, owner_url: str) -> None:
    task = await said(here)
    await here.upload("plan.md", b"zirkonlampe")
    assert here.owner.person is not None
    admin = Principal(org=here.org, person=here.owner.person, role=Role.ADMIN, via=Via.PERSON)
    with pytest.raises(Refused):
        await here.house.commands.perform(EraseOrganisation(principal=admin))

    erased = await here.house.commands.perform(EraseOrganisation(principal=here.owner))

    assert not await ring_opens(here, task)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('joule.org', %s, false)", [str(here.org)])
        alive = "SELECT count(*) FROM data_key WHERE org_id = %s AND state <> 'shredded'"
        living = connection.execute(alive, [here.org]).fetchone()
        tables = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        some = "SELECT 1 FROM {} WHERE org_id = %s LIMIT 1"
        spoken = "SELECT count(*) FROM {0} WHERE {0}::text ~ %s"
        spelt = {name for (name,) in tables if connection.execute(spoken.format(name), [SPOKEN]).fetchone() != (0,)}
        left = {name for (name,) in tables if connection.execute(some.format(name), [here.org]).fetchone()}
    assert living == (0,)
    assert spelt == set()
    assert left <= {
        *("data_key", "trace_chain", "trace_event", "trace_content", "trace_erasure", "erasure_receipt"),
        *("trace_seal", "trace_head"),
    }
    receipt = await newest_receipt(here)
    assert (receipt.id, receipt.kind) == (erased.receipt, "organisation")
    assert receipt.went["rows.person"] == 1
    async with here.house.database.read(here.org) as session:  # what is left proves that nothing was changed before
        assert await reader.verify_task(session, here.org, task) > 0
    with pytest.raises(Shredded):
        await here.house.commands.perform(ListItems(principal=here.owner, project=here.project))


async def names_of(here: Home) -> list[str]:
    async with here.house.database.read(here.org) as session:
        return [each.name for each in await people(session, here.house.vault, here.org)]


def commands_of(owner_url: str, person: PersonId) -> list[TaskId]:
    """What a person did by hand."""
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "SELECT task_id FROM trace_chain WHERE key_subject LIKE %s ORDER BY started_at", [f"day:%/person:{person}"]
        )
        return [TaskId(UUID(str(task))) for (task,) in found]
