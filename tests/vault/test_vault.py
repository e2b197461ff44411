"""The vault over real rows: who gets which key, what is remembered, and what a missing key service does."""

import asyncio
import pickle
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.kernel.errors import Corrupt
from joule.kernel.ids import OrgId, new_id
from joule.vault.errors import NoKey, WrapperAway
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.vault.support import ROW, Watched, opened_by, sealed_by


async def test_what_one_process_seals_another_opens(
    vault: Vault, wrapper: Watched, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    sealed = await sealed_by(vault, database, org, "task:1")

    other = Vault(wrapper=wrapper, clock=clock, environment="test", cache_seconds=60)

    assert await opened_by(other, database, org, sealed, "task:1") == "words"


async def test_without_a_key_nothing_is_made_unless_asked(vault: Vault, database: Database, org: OrgId) -> None:
    async with database.write(org) as session:
        with pytest.raises(NoKey):
            await vault.keyring(session, org, "task:1")
        assert await vault.keyring(session, org, "task:1", create=True)


async def test_subjects_do_not_open_each_others_records(vault: Vault, database: Database, org: OrgId) -> None:
    sealed = await sealed_by(vault, database, org, "task:1")
    await sealed_by(vault, database, org, "task:2")

    assert await opened_by(vault, database, org, sealed, "task:1") == "words"
    with pytest.raises(Corrupt):
        await opened_by(vault, database, org, sealed, "task:2")


async def test_an_organisation_has_no_keys_in_anothers_session(vault: Vault, database: Database, org: OrgId) -> None:
    await sealed_by(vault, database, org)
    stranger = OrgId(new_id())

    async with database.read(stranger) as session:
        with pytest.raises(NoKey):
            await vault.keyring(session, org)
    with pytest.raises(DBAPIError):
        async with database.write(stranger) as session:
            await vault.keyring(session, org, "task:1", create=True)


async def test_a_key_is_never_made_in_a_read_session(vault: Vault, database: Database, org: OrgId) -> None:
    with pytest.raises(DBAPIError):
        async with database.read(org) as session:
            await vault.keyring(session, org, create=True)


async def test_a_key_is_unwrapped_once_for_a_thousand_uses_and_again_after_its_time(
    vault: Vault, wrapper: Watched, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    sealed = await sealed_by(vault, database, org)
    first = wrapper.unwraps

    async with database.read(org) as session:
        for _ in range(1_000):
            ring = await vault.keyring(session, org)
            ring.open(sealed, row=ROW, field="body")
    warm = wrapper.unwraps
    clock.advance(timedelta(seconds=60))
    await opened_by(vault, database, org, sealed)

    assert (first, warm, wrapper.unwraps) == (1, 1, 2)


async def test_only_so_many_keys_are_remembered_and_the_least_used_goes_first(
    wrapper: Watched, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    vault = Vault(wrapper=wrapper, clock=clock, environment="test", cache_seconds=60, cache_keys=2)
    for name in ("task:1", "task:2"):
        await sealed_by(vault, database, org, name)
    async with database.read(org) as session:
        await vault.keyring(session, org, "task:1")
    await sealed_by(vault, database, org, "task:3")
    before = wrapper.unwraps

    async with database.read(org) as session:
        await vault.keyring(session, org, "task:1")
        kept = wrapper.unwraps
        await vault.keyring(session, org, "task:2")

    assert (kept, wrapper.unwraps) == (before, before + 1)


async def test_a_missing_key_service_is_bridged_until_the_keys_time_is_up_and_then_refuses(
    vault: Vault, wrapper: Watched, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    sealed = await sealed_by(vault, database, org)
    wrapper.is_away = True

    clock.advance(timedelta(seconds=59))
    assert await opened_by(vault, database, org, sealed) == "words"
    clock.advance(timedelta(seconds=1))
    with pytest.raises(WrapperAway):
        await opened_by(vault, database, org, sealed)
    with pytest.raises(WrapperAway):
        await sealed_by(vault, database, org, "task:new")

    wrapper.is_away = False
    assert await opened_by(vault, database, org, sealed) == "words"


async def test_many_who_need_the_first_key_at_once_get_the_same(
    vault: Vault, wrapper: Watched, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    others = [Vault(wrapper=wrapper, clock=clock, environment="test", cache_seconds=60) for _ in range(12)]

    sealed = await asyncio.gather(*(sealed_by(other, database, org, "task:1") for other in others))

    for one in sealed:
        assert await opened_by(vault, database, org, one, "task:1") == "words"
    async with database.read(org) as session:
        assert (await session.execute(text("SELECT count(*), max(ordinal) FROM data_key"))).one() == (1, 1)


async def test_a_key_made_in_a_transaction_that_fails_was_never_made(
    vault: Vault, database: Database, org: OrgId
) -> None:
    async def interrupted() -> None:
        async with database.write(org) as session:
            await vault.keyring(session, org, create=True)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await interrupted()

    async with database.read(org) as session:
        with pytest.raises(NoKey):
            await vault.keyring(session, org)


async def test_a_key_row_moved_to_another_subject_or_organisation_does_not_open_even_when_warm(
    vault: Vault, database: Database, owner_url: str, org: OrgId
) -> None:
    # Given two organisations whose keys are both in memory, and someone who can write rows as he likes
    stranger = OrgId(new_id())
    await sealed_by(vault, database, org)
    await sealed_by(vault, database, stranger)
    assert await opened_by(vault, database, org, await sealed_by(vault, database, org)) == "words"

    # When the stranger's key row takes the place of ours, id and all
    async with await psycopg.AsyncConnection.connect(owner_url) as connection:
        await connection.execute("ALTER TABLE data_key NO FORCE ROW LEVEL SECURITY")
        await connection.execute("DELETE FROM data_key WHERE org_id = %s", (org,))
        await connection.execute("UPDATE data_key SET org_id = %s WHERE org_id = %s", (org, stranger))

    # Then it opens nothing, though its id is one this process has in memory
    async with database.read(org) as session:
        with pytest.raises(Corrupt):
            await vault.keyring(session, org)


async def test_keys_of_one_environment_do_not_open_in_another(
    vault: Vault, wrapper: Watched, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    sealed = await sealed_by(vault, database, org)
    copied = Vault(wrapper=wrapper, clock=clock, environment="staging", cache_seconds=60)

    assert await opened_by(vault, database, org, sealed) == "words"
    with pytest.raises(Corrupt):
        await opened_by(copied, database, org, sealed)


@pytest.mark.parametrize("subject", ["Anna's task", "task:", "task:ü", "task:" + "x" * 81, "task:1\n", ":1"])
async def test_a_subject_is_an_id_and_never_words(vault: Vault, database: Database, org: OrgId, subject: str) -> None:
    async with database.write(org) as session:
        with pytest.raises(ValueError, match="subject"):
            await vault.keyring(session, org, subject, create=True)


async def test_the_database_itself_refuses_words_as_a_subject(database: Database, org: OrgId) -> None:
    add = text(
        "INSERT INTO data_key (org_id, id, subject, ordinal, scheme, kek_id, wrapped, state, created_at)"
        " VALUES (:org, :id, :subject, 1, 's', 'k', 'w', 'active', now())"
    )
    async with database.write(org) as session:
        await session.execute(add, {"org": org, "id": new_id(), "subject": "task:1"})
    with pytest.raises(DBAPIError):
        async with database.write(org) as session:
            await session.execute(add, {"org": org, "id": new_id(), "subject": "words"})


async def test_no_key_stands_in_the_database_in_clear(
    vault: Vault, database: Database, org: OrgId, owner_url: str
) -> None:
    async with database.write(org) as session:
        ring = await vault.keyring(session, org, create=True)

    async with await psycopg.AsyncConnection.connect(owner_url) as connection:
        rows = await (await connection.execute("SELECT t::text, wrapped FROM data_key t")).fetchall()

    assert len(rows) == 1
    for key in ring._keys.values():
        assert key not in rows[0][1]
        assert key.hex() not in rows[0][0]


async def test_the_application_cannot_delete_a_key_or_make_it_anothers(
    vault: Vault, database: Database, org: OrgId
) -> None:
    await sealed_by(vault, database, org)

    for forbidden in ("DELETE FROM data_key", "UPDATE data_key SET subject = 'task:9'", "TRUNCATE data_key"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.write(org) as session:
                await session.execute(text(forbidden))
    async with database.write(org) as session:
        await session.execute(text("UPDATE data_key SET kek_id = kek_id"))


def test_a_vault_cannot_be_shown_or_pickled(vault: Vault) -> None:
    assert repr(vault) == "<Vault of test>"
    with pytest.raises(TypeError):
        pickle.dumps(vault)
