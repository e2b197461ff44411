"""Every minute what has moved is sealed: once, in order, whole or not at all, and never back into a day that is over."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from joule.database.engine import Database
from joule.kernel.ids import OrgId, TaskId, new_id
from tests.support.clock import StoppedClock
from traces import verify
from traces.opening import Journals
from traces.proof import notes, queries
from traces.proof.proofs import Proofs
from traces.proof.verifying import Checked
from traces.records import Kind

ROOT = Path(__file__).parents[3]


async def record(journals: Journals, org: OrgId, *, rows: int = 2, retention: str = "90d") -> TaskId:
    journal = await journals.open(org, TaskId(new_id()), attempt=1, retention=retention)
    for n in range(rows):
        journal.note(Kind.TEXT, call=f"model/{n}", content={"text": "word"})
    await journal.flush()
    return journal.task


async def heads(database: Database, org: OrgId) -> list[verify.Head]:
    """The last head of each tree, oldest first."""
    async with database.read(org) as session:
        found = await queries.newest_heads(session, org)
    return [verify.head_of(head.note.split("\n\n")[0]) for head in reversed(found)]


async def checked(proving: Proofs, org: OrgId) -> Checked:
    async for found in proving.verify(org):
        last = found
    assert last.done
    return last


async def test_what_has_moved_is_sealed_once_and_what_has_not_is_left(
    journals: Journals, proving: Proofs, database: Database, org: OrgId
):
    task = await record(journals, org)
    assert (await checked(proving, org)).unsealed == 1

    assert await proving.sealing.seal(org) == 1
    assert await proving.sealing.seal(org) == 0
    journal = await journals.open(org, task, attempt=2, retention="90d")
    await journal.write(Kind.TEXT, call="model/9", content={"text": "more"})
    assert await proving.sealing.seal(org) == 1

    found = await checked(proving, org)
    assert (found.chains, found.rows, found.seals, found.heads, found.unsealed) == (1, 3, 2, 2, 0)
    assert found.problems == ()


async def test_a_quick_look_sees_only_chains_with_late_rows(
    journals: Journals, proving: Proofs, clock: StoppedClock, org: OrgId
):
    await record(journals, org)
    clock.advance(timedelta(minutes=10))
    await record(journals, org)

    assert await proving.sealing.seal(org, since=clock.now() - timedelta(minutes=2)) == 1
    assert await proving.sealing.seal(org) == 1


async def test_each_class_and_day_has_a_tree_and_each_names_the_one_before(
    journals: Journals, proving: Proofs, database: Database, clock: StoppedClock, org: OrgId
):
    async with database.unscoped() as session:
        await journals.ensure_partitions(session, "30d")
    await record(journals, org)
    await record(journals, org, retention="30d")
    await proving.sealing.seal(org)
    clock.advance(timedelta(days=1))
    await record(journals, org)
    await proving.sealing.seal(org)

    found = await heads(database, org)

    assert sorted(head.origin.split("/")[3] for head in found) == ["30d", "90d", "90d"]
    first, second = (head for head in found if "/90d/" in head.origin)
    assert first.before is None
    assert second.before == (first.origin, first.size, first.root)
    assert second.previous == (0, notes.EMPTY)


async def test_a_clock_set_back_changes_neither_the_day_nor_the_order_of_heads(
    journals: Journals, proving: Proofs, database: Database, clock: StoppedClock, org: OrgId
):
    await record(journals, org)
    await proving.sealing.seal(org)
    clock.advance(timedelta(days=-1))
    await record(journals, org)

    assert await proving.sealing.seal(org) == 1

    (head,) = await heads(database, org)
    assert head.size == 2
    assert (await checked(proving, org)).problems == ()


async def test_many_who_seal_at_once_seal_each_chain_once(journals: Journals, proving: Proofs, org: OrgId):
    for _ in range(5):
        await record(journals, org)

    assert sum(await asyncio.gather(*(proving.sealing.seal(org) for _ in range(4)))) >= 5

    found = await checked(proving, org)
    assert (found.seals, found.problems) == (5, ())


async def test_a_process_killed_while_it_seals_and_writes_leaves_all_of_it_or_nothing(
    journals: Journals, proving: Proofs, org: OrgId, owner_url: str, app_url: str, tmp_path: Path
):
    other = OrgId(new_id())
    await record(journals, org)
    await proving.signing.signer()
    arguments = (app_url, str(tmp_path / "vault" / "kek.json"), str(org), str(other))
    async with await psycopg.AsyncConnection.connect(owner_url) as owner:
        # Its leaves are written and its head is not; the heads of its rows are written and what they said is not.
        await owner.execute("LOCK TABLE trace_head, trace_content IN EXCLUSIVE MODE")
        command = [sys.executable, "-m", "tests.traces.proof.killed_process", *arguments]
        child = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            await blocked(owner, 2)
        finally:
            child.kill()
            await child.wait()
        await owner.rollback()

    assert (await checked(proving, org)).problems == ()
    assert await proving.sealing.seal(org) == 1
    found = await checked(proving, org)
    assert (found.seals, found.heads, found.unsealed, found.problems) == (1, 1, 0, ())
    rest = await checked(proving, other)
    assert (rest.rows, rest.problems) in {(0, ()), (1, ())}


async def blocked(owner: psycopg.AsyncConnection[Any], many: int) -> None:
    """Wait until so many sessions of this database wait for a lock."""
    async with asyncio.timeout(40):
        while True:
            found = await owner.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = ANY (ARRAY['trace_head'::regclass,"
                " 'trace_content'::regclass]) AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            if (await found.fetchone() or (0,))[0] >= many:
                return
            await asyncio.sleep(0.1)
