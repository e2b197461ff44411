"""Partitions are there ahead of time, go when their class is over and not before, and what is on hold is moved out first.

What is past its class the server's own clock says, so that these tests write a past instead of stopping time.
"""

import os
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from joule.database.engine import Database
from joule.kernel.ids import DecisionId, OrgId, TaskId, new_id
from joule.vault.errors import NoKey, UnknownKey
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from traces import reader, sealing
from traces.ending import holds, partitions
from traces.ending.holds import Scope
from traces.errors import JournalDown
from traces.opening import Journals
from traces.records import Kind

PAST = datetime.now(UTC) - timedelta(days=5)  # long over for rows that are kept for a day


@pytest.fixture
async def journals(database: Database, vault: Vault, clock: StoppedClock) -> Journals:
    async with database.unscoped() as session:
        for now in (PAST, PAST + timedelta(days=1)):
            await partitions.ensure(session, "1d", now=now)
    return Journals(database=database, vault=vault, clock=clock)


async def written(journals: Journals, clock: StoppedClock, org: OrgId, *, at: datetime) -> TaskId:
    """A task of class 1d, recorded at a time."""
    task = TaskId(new_id())
    clock.advance(at - clock.now())
    journal = await journals.open(org, task, attempt=1, retention="1d")
    await journal.write(Kind.TASK_STARTED, content={"request": "words"})
    return task


def names(owner_url: str, like: str = "trace_event_1d_%") -> list[str]:
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s ORDER BY 1", [like]
        )
        return [str(name) for (name,) in found]


async def test_what_is_past_its_class_goes_and_nothing_else(
    journals: Journals, database: Database, clock: StoppedClock, owner_url: str, org: OrgId
) -> None:
    old = await written(journals, clock, org, at=PAST)
    fresh = await written(journals, clock, org, at=datetime.now(UTC))
    there = names(owner_url)

    dropped = await partitions.drop_expired(database, "1d")
    again = await partitions.drop_expired(database, "1d")

    left = names(owner_url)
    assert dropped.chains == 1
    assert dropped.partitions == len(there) - len(left) > 0
    assert left[0] == f"trace_event_1d_{datetime.now(UTC) - timedelta(days=1):%Y%m%d}"
    assert names(owner_url, "trace_content_1d_%") == [name.replace("event", "content") for name in left]
    assert (again.chains, again.partitions) == (0, 0)
    async with database.read(org) as session:
        assert await reader.chain_of(session, org, old) is None
        assert await reader.verify_task(session, org, fresh) == 1


async def test_what_is_on_hold_is_kept_past_its_class_and_released_with_the_hold(
    journals: Journals, database: Database, vault: Vault, clock: StoppedClock, owner_url: str, org: OrgId
) -> None:
    held, other = [await written(journals, clock, org, at=PAST) for _ in range(2)]
    decision = DecisionId(new_id())
    async with database.write(org) as session:
        ring = await vault.keyring(session, org, create=True)
        hold = await holds.place(
            session, ring, org, scope=Scope.TASK, subject=held, reason="x", by=None, at=PAST, decision=decision
        )
        for _ in range(2):  # as the sweep does when the day is over; doing it again changes nothing
            sealed = sealing.of_task(held, PAST)
            await vault.keep_bound(session, org, sealed.owner, under=sealed.day, name=sealing.held(held))
        await vault.shred(session, org, sealed.day)

    kept = await partitions.drop_expired(database, "1d")

    async with database.read(org) as session:
        assert (kept.held, kept.chains) == (1, 1)
        assert await reader.verify_task(session, org, held) == 1
        found = await reader.events(session, await sealing.ring(session, vault, org, held), org, held)
        assert found[0].content == {"request": "words"}
        assert await reader.chain_of(session, org, other) is None
    assert not await partitions.release(database, org)
    async with database.write(org) as session:
        await holds.lift(session, org, hold.id, by=None, at=PAST, decision=decision)
    assert await partitions.release(database, org)
    assert names(owner_url, "trace_event_hold_%") == []
    async with database.read(org) as session:
        assert await reader.chain_of(session, org, held) is None


@pytest.mark.parametrize(
    "door",
    ["trace_drop_expired('1d')", "trace_forget_chains('1d', 100)", "trace_keep_held('1d')"],
)
async def test_whoever_is_killed_at_a_door_leaves_everything_as_it_was(
    journals: Journals, database: Database, clock: StoppedClock, app_url: str, owner_url: str, org: OrgId, door: str
) -> None:
    task = await written(journals, clock, org, at=PAST)
    before = names(owner_url)
    killed = psycopg.connect(app_url)
    killed.execute(f"SELECT {door}".encode())
    os.close(killed.pgconn.socket)  # as when the process is killed: no farewell, no commit

    dropped = await partitions.drop_expired(database, "1d")

    async with database.read(org) as session:
        assert await reader.chain_of(session, org, task) is None
    assert dropped.chains == 1
    assert len(names(owner_url)) == len(before) - dropped.partitions
    assert dropped.partitions > 0


async def test_a_shredding_that_was_killed_has_not_happened(
    database: Database, vault: Vault, org: OrgId, app_url: str
) -> None:
    async with database.write(org) as session:
        sealed = (await vault.keyring(session, org, "day:2026-01-01", create=True)).seal(b"x", row=org, field="f")
    killed = psycopg.connect(app_url)
    killed.execute("SELECT set_config('joule.org', %s, true)", [str(org)])
    killed.execute("UPDATE data_key SET state = 'shredded', wrapped = ''::bytea, ended_at = now()")
    os.close(killed.pgconn.socket)

    async with database.read(org) as session:
        ring = await vault.keyring(session, org, "day:2026-01-01")

    assert ring.open(sealed, row=org, field="f") == b"x"


async def test_with_less_than_a_week_ahead_it_is_said_and_a_day_without_a_partition_is_refused(
    database: Database, vault: Vault, clock: StoppedClock, org: OrgId
) -> None:
    async with database.unscoped() as session:
        await partitions.ensure(session, "7d", now=clock.now())
        enough = {each.retention: each for each in await partitions.ahead(session, now=clock.now())}
        soon = {each.retention: each for each in await partitions.ahead(session, now=clock.now() + timedelta(days=9))}
    assert (enough["7d"].is_enough, enough["7d"].days) == (True, 14)
    assert (soon["7d"].is_enough, soon["7d"].days) == (False, 5)

    clock.advance(timedelta(days=60))
    journals = Journals(database=database, vault=vault, clock=clock)
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention="7d")
    with pytest.raises(JournalDown, match="partition"):
        await journal.write(Kind.TASK_STARTED)


async def test_a_ring_bound_to_a_day_opens_only_while_both_have_their_keys(
    database: Database, vault: Vault, org: OrgId
) -> None:
    async with database.write(org) as session:
        bound = await vault.keyring(session, org, "task:1", under="day:2026-01-01", create=True)
        sealed = bound.seal(b"x", row=org, field="f")
        for alone in ("task:1", "day:2026-01-01"):
            with pytest.raises(UnknownKey):
                (await vault.keyring(session, org, alone)).open(sealed, row=org, field="f")
        other_day = await vault.keyring(session, org, "task:1", under="day:2026-01-02", create=True)
        with pytest.raises(UnknownKey):
            other_day.open(sealed, row=org, field="f")
        again = await vault.keyring(session, org, "task:1", under="day:2026-01-01")
        assert again.open(sealed, row=org, field="f") == b"x"
        with pytest.raises(NoKey):
            await vault.keyring(session, org, "task:1", under="day:2026-01-03")
