"""The journal: chained, sealed, fenced, append-only, and unable to hold free text in clear."""

import asyncio
import dataclasses
from datetime import timedelta

import psycopg
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from joule.database.engine import Database
from joule.kernel.errors import Fenced
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from traces import chain, reader
from traces.errors import ChainBroken, HeadRefused, JournalDown
from traces.opening import Journals
from traces.records import Kind, canonical, check_attributes, leaf


@pytest.fixture
def journals(database: Database, vault: Vault, clock: StoppedClock) -> Journals:
    return Journals(database=database, vault=vault, clock=clock)


async def written(journals: Journals, org: OrgId, rows: int = 5) -> TaskId:
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    for n in range(rows):
        await journal.write(Kind.TEXT, call=f"model/{n}", content={"text": f"word {n}"})
    return journal.task


async def test_rows_are_chained_and_verify(journals: Journals, database: Database, org: OrgId):
    task = await written(journals, org)

    async with database.read(org) as session:
        assert await reader.verify_task(session, org, task) == 5


@pytest.mark.parametrize("tampering", ["edit", "rehash", "delete", "swap", "cut", "ciphertext", "insert", "transplant"])
async def test_tampering_with_stored_rows_is_seen(journals: Journals, database: Database, org: OrgId, tampering: str):
    task = await written(journals, org)
    other = await written(journals, org)
    async with database.read(org) as session:
        state = await reader.chain_of(session, org, task)
        rows = await reader.records(session, org, task, state)
        foreign = await reader.records(session, org, other, await reader.chain_of(session, org, other))
    chain.verify(rows, expected_head=state.head, expected_length=state.next_seq)

    edited = rows[2].head.replace(b"model/2", b"model/9")
    if tampering == "edit":
        rows[2] = dataclasses.replace(rows[2], head=edited)
    elif tampering == "rehash":
        rows[2] = dataclasses.replace(rows[2], head=edited, hash=leaf(edited))
    elif tampering == "delete":
        del rows[2]
    elif tampering == "swap":
        rows[1], rows[2] = rows[2], rows[1]
    elif tampering == "cut":
        rows.pop()
    elif tampering == "ciphertext":
        rows[2] = dataclasses.replace(rows[2], sealed={"text": rows[3].sealed["text"]})
    elif tampering == "insert":
        rows.insert(2, rows[2])
    elif tampering == "transplant":
        rows[2] = foreign[2]

    with pytest.raises(ChainBroken):
        chain.verify(rows, expected_head=state.head, expected_length=state.next_seq)


async def test_content_is_sealed_and_heads_hold_none_of_it(
    journals: Journals, database: Database, org: OrgId, owner_url: str
):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    await journal.write(Kind.TEXT, call="model/0", content={"text": "canary-7f3a"})

    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('joule.org', %s, false)", (str(org),))
        heads = connection.execute("SELECT head FROM trace_event").fetchall()
        sealed = connection.execute("SELECT sealed FROM trace_content").fetchall()
    assert len(heads) == len(sealed) == 1
    assert b"canary" not in heads[0][0] + sealed[0][0]
    async with database.read(org) as session:
        events = await reader.events(session, journal.keyring, org, journal.task)
    assert events[0].content["text"] == "canary-7f3a"


async def test_an_earlier_attempt_can_write_no_more(journals: Journals, org: OrgId):
    first = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    await first.write(Kind.TEXT, call="model/0", content={"text": "a"})
    second = await journals.open(org, first.task, attempt=2, retention="90d")

    with pytest.raises(Fenced):
        await first.write(Kind.TEXT, call="model/1", content={"text": "b"})
    await second.write(Kind.TEXT, call="model/1", content={"text": "c"})


async def test_opening_as_an_earlier_attempt_is_fenced(journals: Journals, org: OrgId):
    first = await journals.open(org, TaskId(new_id()), attempt=2, retention="90d")
    await first.write(Kind.TEXT, call="model/0", content={"text": "a"})

    with pytest.raises(Fenced):
        await journals.open(org, first.task, attempt=1, retention="90d")


async def test_a_fenced_worker_takes_its_effects_back(journals: Journals, database: Database, org: OrgId):
    first = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    await first.write(Kind.TEXT, call="model/0", content={"text": "a"})
    await journals.open(org, first.task, attempt=2, retention="90d")

    with pytest.raises(Fenced):
        async with first.transaction() as transaction:
            await transaction.write(Kind.INTENT, call="act/0/0", attrs={"action": "a.b"})

    async with database.read(org) as session:
        assert await reader.verify_task(session, org, first.task) == 1


async def test_rows_waiting_are_not_lost_by_a_transaction_that_fails(
    journals: Journals, database: Database, org: OrgId
):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    journal.note(Kind.TEXT, call="model/0", content={"text": "a"})

    async def fail() -> None:
        async with journal.transaction() as transaction:
            await transaction.write(Kind.INTENT, call="act/0/0", attrs={"action": "a.b"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with journal.transaction():
        pass
    await journal.flush()

    async with database.read(org) as session:
        events = await reader.events(session, None, org, journal.task)
        assert await reader.verify_task(session, org, journal.task) == 1
    assert [event.kind for event in events] == ["text.delta"]


async def test_a_commit_that_is_cut_off_is_not_taken_for_one_that_failed(
    journals: Journals, database: Database, org: OrgId, owner_url: str
):
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE slow (n int)")
        owner.execute("GRANT INSERT ON slow TO joule_app")
        owner.execute(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL;"
            " EXCEPTION WHEN query_canceled THEN RETURN NULL; END $$"  # past the point of no return
        )
        owner.execute(
            "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION linger()"
        )
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")

    async def commit_slowly() -> None:
        async with journal.transaction() as transaction:
            await transaction.write(Kind.INTENT, call="act/0/0", attrs={"action": "a.b"})
            await transaction.session.execute(text("INSERT INTO slow VALUES (1)"))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(commit_slowly(), 0.2)

    with pytest.raises(JournalDown):
        await journal.write(Kind.TEXT, call="model/0")
    again = await journals.open(org, journal.task, attempt=2, retention="90d")
    assert again.recording.step("act/0/0").intent is not None
    await again.write(Kind.TEXT, call="model/0")


async def test_an_effect_that_is_cut_off_before_its_commit_leaves_the_journal_in_order(journals: Journals, org: OrgId):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")

    async def work_slowly() -> None:
        async with journal.transaction() as transaction:
            await transaction.write(Kind.INTENT, call="act/0/0", attrs={"action": "a.b"})
            await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work_slowly(), 0.1)

    await journal.write(Kind.TEXT, call="model/0")
    again = await journals.open(org, journal.task, attempt=2, retention="90d")
    assert again.recording.step("act/0/0").intent is None


async def test_whoever_waits_for_a_flush_may_be_cut_off_and_the_flush_goes_on(journals: Journals, org: OrgId):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    journal.note(Kind.TEXT, call="model/0", content={"text": "a"})
    journal.flush_soon()
    while journal._flushing is None:
        await asyncio.sleep(0)

    waiting = asyncio.create_task(journal.settle())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    await journal.write(Kind.TEXT, call="model/0", content={"text": "b"})
    again = await journals.open(org, journal.task, attempt=2, retention="90d")
    assert again.recording.texts == {"model/0": ["a", "b"]}


async def test_a_journal_that_was_let_go_has_written_what_was_noted_and_is_at_rest(journals: Journals, org: OrgId):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    journal.note(Kind.TEXT, call="model/0", content={"text": "a"})

    await journal.close()

    assert not [each for each in asyncio.all_tasks() if "_drain" in str(each.get_coro())]
    again = await journals.open(org, journal.task, attempt=2, retention="90d")
    assert again.recording.texts == {"model/0": ["a"]}


async def test_a_clock_set_back_does_not_set_rows_back(
    journals: Journals, database: Database, org: OrgId, clock: StoppedClock
):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    await journal.write(Kind.TEXT, call="model/0")
    clock.advance(timedelta(hours=-1))
    await journal.write(Kind.TEXT, call="model/1")

    async with database.read(org) as session:
        events = await reader.events(session, None, org, journal.task)
    assert events[0].at < events[1].at


async def test_rows_of_calls_at_the_same_time_stand_in_the_order_of_their_times(
    journals: Journals, database: Database, org: OrgId
):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    async with journal.transaction() as transaction:
        journal.note(Kind.TEXT, call="act/0/1", content={"text": "noted by another call meanwhile"})
        await transaction.write(Kind.TEXT, call="act/0/0", content={"text": "written first"})
    await journal.settle()
    await journal.flush()

    async with database.read(org) as session:
        rows = await reader.events(session, None, org, journal.task)
    assert [each.call for each in rows] == ["act/0/0", "act/0/1"]
    assert rows[0].at < rows[1].at


async def test_a_worker_whose_clock_is_behind_takes_a_task_over_all_the_same(
    journals: Journals, database: Database, org: OrgId, clock: StoppedClock
):
    first = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    await first.write(Kind.TEXT, call="model/0")
    clock.advance(timedelta(hours=-1))

    second = await journals.open(org, first.task, attempt=2, retention="90d")
    await second.write(Kind.TEXT, call="model/1")

    async with database.read(org) as session:
        assert await reader.verify_task(session, org, first.task) == 2
        events = await reader.events(session, None, org, first.task)
    assert events[0].at < events[1].at


async def test_without_a_partition_nothing_is_written_and_it_is_said_why(
    journals: Journals, org: OrgId, clock: StoppedClock
):
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    await journal.write(Kind.TEXT, call="model/0")
    clock.advance(timedelta(days=800))

    with pytest.raises(JournalDown, match="partition"):
        await journal.write(Kind.TEXT, call="model/1")
    with pytest.raises(JournalDown):
        journal.note(Kind.TEXT, call="model/2")


@pytest.mark.parametrize("statement", ["UPDATE {0} SET seq = 9", "DELETE FROM {0}", "TRUNCATE {0}"])
@pytest.mark.parametrize("table", ["trace_event", "trace_content"])
async def test_the_application_cannot_change_a_row(
    journals: Journals, org: OrgId, app_url: str, statement: str, table: str
):
    await written(journals, org, 1)

    with psycopg.connect(app_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('joule.org', %s, false)", (str(org),))
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.format(table))


@pytest.mark.parametrize(
    "attrs",
    [
        {"action": "Free text, with spaces"},
        {"facts": {"note": "a sentence"}},
        {"tool": "x" * 65},
        {"secret": "a"},
        {"duration_us": -1},
        {"duration_us": 1.5},
        {"duration_us": True},
        {"decision_id": "not-an-id"},
        {"policies": ["one two"]},
        {"binding": "zz" * 16},
    ],
)
def test_a_head_refuses_what_could_be_free_text(attrs):
    with pytest.raises(HeadRefused):
        check_attributes(attrs)


def test_a_head_takes_what_is_closed():
    check_attributes({"action": "memory.remember", "duration_us": 12, "facts": {"role": "member", "approved": False}})


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abcdefgh_.", min_size=1), inner),
    max_leaves=20,
)


@given(json_like)
def test_our_canonical_bytes_are_those_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)
