"""Both kinds of rotation, while others go on reading and writing."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from joule.database.engine import Database
from joule.kernel.ids import OrgId, new_id
from joule.vault.errors import KeyInUse, NoKey, WrapperRefuses
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.rotation import KekRotation
from joule.vault.vault import Vault
from joule.vault.wrapper import Succession
from tests.support.clock import StoppedClock
from tests.vault.support import ROW, Watched, opened_by, sealed_by


@pytest.fixture
async def owner(owner_url: str) -> object:
    database = Database(owner_url, pool_size=2)
    yield database
    await database.close()


async def test_after_a_new_data_key_old_records_open_and_new_ones_use_it(
    vault: Vault, database: Database, org: OrgId
) -> None:
    before = await sealed_by(vault, database, org)

    async with database.write(org) as session:
        await vault.rotate(session, org)

    after = await sealed_by(vault, database, org)
    assert before[5:21] != after[5:21]
    for sealed in (before, after):
        assert await opened_by(vault, database, org, sealed) == "words"
    async with database.read(org) as session:
        found = await session.execute(text("SELECT ordinal, state FROM data_key ORDER BY ordinal"))
        assert [tuple(row) for row in found] == [(1, "retired"), (2, "active")]


async def test_a_commitment_is_the_same_before_and_after_a_new_data_key(
    vault: Vault, database: Database, org: OrgId
) -> None:
    async with database.write(org) as session:
        before = (await vault.keyring(session, org, create=True)).commitment("journal", b"words")
        await vault.rotate(session, org)
        await vault.rotate(session, org)
        after = (await vault.keyring(session, org)).commitment("journal", b"words")

    assert before == after


async def test_a_data_key_that_never_was_is_not_rotated(vault: Vault, database: Database, org: OrgId) -> None:
    async with database.write(org) as session:
        with pytest.raises(NoKey):
            await vault.rotate(session, org, "task:1")


async def test_data_keys_rotated_by_several_at_once_leave_one_active(
    vault: Vault, database: Database, org: OrgId
) -> None:
    sealed = await sealed_by(vault, database, org)

    async def rotated() -> None:
        async with database.write(org) as session:
            await vault.rotate(session, org)

    await asyncio.gather(*(rotated() for _ in range(8)))

    async with database.read(org) as session:
        found = await session.execute(text("SELECT ordinal FROM data_key WHERE state = 'active'"))
        assert found.scalars().all() == [9]
    assert await opened_by(vault, database, org, sealed) == "words"


async def test_records_are_moved_to_the_new_data_key_without_losing_a_write_in_between(
    vault: Vault, database: Database, owner_url: str, org: OrgId
) -> None:
    # Given a room with a sealed field and its generation
    async with await psycopg.AsyncConnection.connect(owner_url) as connection:
        await connection.execute("CREATE TABLE note (id uuid, generation bigint, body bytea)")
        await connection.execute("GRANT SELECT, INSERT, UPDATE ON note TO joule_app")
    store = text("UPDATE note SET body = :body, generation = :now WHERE id = :id AND generation = :was")
    quiet, busy = new_id(), new_id()
    async with database.write(org) as session:
        ring = await vault.keyring(session, org, create=True)
        for row in (quiet, busy):
            body = ring.seal(b"old", row=row, field="body", generation=1)
            await session.execute(text("INSERT INTO note VALUES (:id, 1, :body)"), {"id": row, "body": body})
        await vault.rotate(session, org)

    # When a sweep has read both, and someone writes one of them before the sweep does
    async with database.write(org) as session:
        ring = await vault.keyring(session, org)
        read = {row.id: row for row in await session.execute(text("SELECT id, generation, body FROM note"))}
        async with database.write(org) as other:
            body = (await vault.keyring(other, org)).seal(b"new", row=busy, field="body", generation=2)
            await other.execute(store, {"id": busy, "was": 1, "now": 2, "body": body})
        for row in (quiet, busy):
            moved = ring.reseal(bytes(read[row].body), row=row, field="body", generation=1)
            await session.execute(store, {"id": row, "was": 1, "now": 2, "body": moved})

    # Then both are under the new key and the write in between stands
    async with database.read(org) as session:
        ring = await vault.keyring(session, org)
        found = {row.id: bytes(row.body) for row in await session.execute(text("SELECT id, body FROM note"))}
    assert ring.open(found[quiet], row=quiet, field="body", generation=2) == b"old"
    assert ring.open(found[busy], row=busy, field="body", generation=2) == b"new"
    assert all(ring.is_current(sealed) for sealed in found.values())


async def test_the_wrapping_key_is_replaced_under_readers_and_writers_of_all_organisations(
    vault: Vault, key_file: LocalKeyFile, database: Database, owner: Database
) -> None:
    # Given several organisations with keys under the first wrapping key
    orgs = [OrgId(new_id()) for _ in range(4)]
    sealed = {
        org: [(f"task:{n}", await sealed_by(vault, database, org, f"task:{n}")) for n in range(6)] for org in orgs
    }
    first = await key_file.current()
    rotation = KekRotation(owner=owner, wrapper=key_file, environment="test")
    is_over, reads, writes = asyncio.Event(), 0, 0

    async def reading() -> None:
        nonlocal reads
        while not is_over.is_set():
            for org in orgs:
                for subject, one in sealed[org]:
                    vault._unwrapped.clear()  # each read asks the wrapper
                    assert await opened_by(vault, database, org, one, subject) == "words"
                    reads += 1

    async def writing() -> None:
        nonlocal writes
        while not is_over.is_set():
            for org in orgs:
                await sealed_by(vault, database, org, f"task:new-{writes}")
                writes += 1

    async def rotating() -> None:
        await key_file.add()
        assert await rotation.left() > 0
        with pytest.raises(KeyInUse):
            await rotation.retire(first.kek_id, scheme=first.scheme, remove=key_file.retire)
        moved = 0
        for _ in range(3):  # keys that were wrapped with the first key before and committed since
            done = await rotation.rewrap(batch=5)
            moved += done.moved
        assert moved >= 24
        assert done.left == 0
        await rotation.retire(first.kek_id, scheme=first.scheme, remove=key_file.retire)
        await asyncio.sleep(0.2)  # readers and writers go on without it
        is_over.set()

    async with asyncio.TaskGroup() as group:
        for work in (reading(), writing(), rotating()):
            group.create_task(work)

    # Then nobody noticed, every record still opens, and nothing is under the first key
    assert reads > 24
    assert writes > 0
    assert await rotation.left() == 0


async def test_rewrapping_touches_no_record_and_no_commitment(
    vault: Vault, key_file: LocalKeyFile, database: Database, owner: Database, org: OrgId
) -> None:
    sealed = await sealed_by(vault, database, org)
    async with database.read(org) as session:
        before = (await vault.keyring(session, org)).commitment("journal", b"words")

    await key_file.add()
    done = await KekRotation(owner=owner, wrapper=key_file, environment="test").rewrap()

    assert (done.moved, done.left) == (1, 0)
    async with database.read(org) as session:
        ring = await vault.keyring(session, org)
        assert ring.commitment("journal", b"words") == before
        assert ring.open_text(sealed, row=ROW, field="body") == "words"
        assert ring.is_current(sealed)


async def test_a_wrapping_key_is_not_retired_under_a_data_key_that_is_just_being_made(
    vault: Vault, key_file: LocalKeyFile, database: Database, owner: Database, org: OrgId
) -> None:
    # Given a data key wrapped with the first wrapping key in a transaction that is still open
    first, removed = await key_file.current(), list[str]()
    rotation = KekRotation(owner=owner, wrapper=key_file, environment="test")

    async def remove(kek_id: str) -> None:
        removed.append(kek_id)

    async with database.write(org) as session:
        await vault.keyring(session, org, create=True)
        await key_file.add()
        assert await rotation.left() == 0  # nobody else can see it yet

        # When the first wrapping key is to be retired
        retiring = asyncio.create_task(rotation.retire(first.kek_id, scheme=first.scheme, remove=remove))
        done, _ = await asyncio.wait({retiring}, timeout=0.5)
        assert not done

    # Then that waits, and finds the data key
    with pytest.raises(KeyInUse):
        await retiring
    await rotation.rewrap()
    await rotation.retire(first.kek_id, scheme=first.scheme, remove=remove)
    assert removed == [first.kek_id]


async def test_the_lines_in_the_documentation_rotate_the_key_file(
    vault: Vault,
    key_file: LocalKeyFile,
    database: Database,
    owner_url: str,
    org: OrgId,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    sealed, former = await sealed_by(vault, database, org), await key_file.current()
    monkeypatch.setenv("JOULE_ENVIRONMENT", "test")
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(tmp_path / "keys" / "kek.json"))
    monkeypatch.setenv("JOULE_DATABASE_OWNER_URL", owner_url)
    lines = compile(_documented(), "docs/vault.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {}

    await eval(lines, names)

    await names["owner"].close()
    assert (names["done"].moved, names["done"].left) == (1, 0)
    assert await key_file.current() != former
    assert await opened_by(vault, database, org, sealed) == "words"


def _documented() -> str:
    """The Python of the page on the vault."""
    page = Path(__file__).parents[2] / "docs" / "vault.md"
    return page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


async def test_a_shredded_key_is_not_rewrapped(
    vault: Vault, key_file: LocalKeyFile, database: Database, owner: Database, org: OrgId
) -> None:
    await sealed_by(vault, database, org, "task:1")
    async with database.write(org) as session:
        await vault.shred(session, org, "task:1")

    await key_file.add()
    done = await KekRotation(owner=owner, wrapper=key_file, environment="test").rewrap()

    assert (done.moved, done.left) == (0, 0)


async def test_an_interrupted_rewrap_goes_on_where_it_stopped(
    vault: Vault, wrapper: Watched, key_file: LocalKeyFile, database: Database, owner: Database, org: OrgId
) -> None:
    for n in range(5):
        await sealed_by(vault, database, org, f"task:{n}")
    await key_file.add()

    class Tiring(Watched):
        async def unwrap(self, wrapped, context):  # type: ignore[no-untyped-def]
            self.is_away = self.unwraps == 3
            return await super().unwrap(wrapped, context)

    with pytest.raises(Exception, match="key service"):
        await KekRotation(owner=owner, wrapper=Tiring(key_file), environment="test").rewrap(batch=1)
    rotation = KekRotation(owner=owner, wrapper=key_file, environment="test")
    assert await rotation.left() == 2
    done = await rotation.rewrap(batch=1)

    assert (done.moved, done.left) == (2, 0)


async def test_a_succession_opens_what_the_former_wrapper_wrapped_and_refuses_a_stranger(
    vault: Vault, key_file: LocalKeyFile, database: Database, org: OrgId, clock: StoppedClock, tmp_path: Path
) -> None:
    sealed = await sealed_by(vault, database, org)

    class Renamed(LocalKeyFile):
        scheme = "another-kind"

    newer = Renamed.create(tmp_path / "newer" / "kek.json")
    both = Vault(
        wrapper=Succession(current=newer, before=[key_file]), clock=clock, environment="test", cache_seconds=60
    )
    alone = Vault(wrapper=Succession(current=newer, before=[]), clock=clock, environment="test", cache_seconds=60)

    assert await opened_by(both, database, org, sealed) == "words"
    with pytest.raises(WrapperRefuses):
        await opened_by(alone, database, org, sealed)


async def test_the_application_cannot_look_at_keys_of_all_organisations_as_a_rotation_does(
    vault: Vault, database: Database, owner: Database, org: OrgId
) -> None:
    await sealed_by(vault, database, org)
    count = text("SELECT count(*) FROM data_key")

    async with owner.unscoped() as session:
        assert (await session.execute(count)).scalar_one() == 1
    async with database.unscoped() as session:
        assert (await session.execute(count)).scalar_one() == 0
