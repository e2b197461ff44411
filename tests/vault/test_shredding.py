"""Shredding: at once, for good, in every process, and only what was meant."""

import asyncio
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.kernel.ids import OrgId, new_id
from joule.vault import record
from joule.vault.errors import KeyFileRefused, NoKey, Shredded
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.vault import Vault
from joule.vault.wrapper import KekName, WrapContext, WrappedKey
from tests.support.clock import StoppedClock
from tests.vault.support import ROW, Watched, opened_by, sealed_by


async def test_a_shredded_subject_is_gone_at_once_in_every_process_however_warm(
    vault: Vault, wrapper: Watched, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    # Given two processes that both have the key in memory
    other = Vault(wrapper=wrapper, clock=clock, environment="test", cache_seconds=3_600)
    sealed = await sealed_by(vault, database, org, "task:1")
    kept = await sealed_by(vault, database, org, "task:2")
    assert await opened_by(other, database, org, sealed, "task:1") == "words"

    # When one of them shreds, and no time passes
    async with database.write(org) as session:
        assert await vault.shred(session, org, "task:1") == 1

    # Then neither opens it, nor seals anything new for it, and the neighbour lives
    for process in (vault, other):
        with pytest.raises(Shredded):
            await opened_by(process, database, org, sealed, "task:1")
        with pytest.raises(Shredded):
            await sealed_by(process, database, org, "task:1")
        assert await opened_by(process, database, org, kept, "task:2") == "words"


async def test_nothing_of_a_shredded_key_is_left_in_its_row(
    vault: Vault, database: Database, org: OrgId, owner_url: str
) -> None:
    await sealed_by(vault, database, org, "task:1")
    async with database.write(org) as session:
        await vault.rotate(session, org, "task:1")
        assert await vault.shred(session, org, "task:1") == 2

    async with await psycopg.AsyncConnection.connect(owner_url) as connection:
        rows = await (await connection.execute("SELECT state, wrapped, ended_at FROM data_key")).fetchall()

    assert [(state, bytes(wrapped)) for state, wrapped, _ in rows] == [("shredded", b"")] * 2
    assert all(ended for _, _, ended in rows)


async def test_shredding_that_is_rolled_back_did_not_happen(vault: Vault, database: Database, org: OrgId) -> None:
    sealed = await sealed_by(vault, database, org, "task:1")

    async def interrupted() -> None:
        async with database.write(org) as session:
            await vault.shred(session, org, "task:1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await interrupted()

    assert await opened_by(vault, database, org, sealed, "task:1") == "words"


async def test_shredding_twice_finds_nothing_more(vault: Vault, database: Database, org: OrgId) -> None:
    await sealed_by(vault, database, org, "task:1")

    async with database.write(org) as session:
        assert await vault.shred(session, org, "task:1") == 1
        assert await vault.shred(session, org, "task:1") == 0
        with pytest.raises(Shredded):
            await vault.rotate(session, org, "task:1")


async def test_a_subject_shredded_before_it_had_a_key_never_gets_one(
    vault: Vault, database: Database, org: OrgId
) -> None:
    async with database.write(org) as session:
        assert await vault.shred(session, org, "task:late") == 0

    with pytest.raises(Shredded):
        await sealed_by(vault, database, org, "task:late")


async def test_shredding_an_organisation_takes_every_key_of_it_and_no_other(
    vault: Vault, database: Database, org: OrgId
) -> None:
    stranger = OrgId(new_id())
    theirs = await sealed_by(vault, database, stranger, "task:1")
    own = await sealed_by(vault, database, org)
    task = await sealed_by(vault, database, org, "task:1")

    async with database.write(org) as session:
        assert await vault.shred_organisation(session, org) == 2

    for sealed, subject in ((own, ""), (task, "task:1")):
        with pytest.raises(Shredded):
            await opened_by(vault, database, org, sealed, subject)
    with pytest.raises(Shredded):
        await sealed_by(vault, database, org, "task:2")
    with pytest.raises(NoKey):
        await opened_by(vault, database, org, task, "task:2")
    assert await opened_by(vault, database, stranger, theirs, "task:1") == "words"


async def test_no_key_survives_an_organisation_that_is_shredded_while_keys_are_made(
    vault: Vault, database: Database, org: OrgId
) -> None:
    async def shredded() -> None:
        async with database.write(org) as session:
            await vault.shred_organisation(session, org)

    async def made(subject: str) -> None:
        with suppress(Shredded):
            await sealed_by(vault, database, org, subject)

    await asyncio.gather(*(made(f"task:{n}") for n in range(10)), shredded(), *(made(f"task:x{n}") for n in range(10)))

    async with database.read(org) as session:
        living = await session.execute(text("SELECT count(*) FROM data_key WHERE state <> 'shredded'"))
        assert living.scalar_one() == 0


async def test_no_key_survives_a_subject_that_is_shredded_while_it_is_rotated(
    vault: Vault, database: Database, org: OrgId
) -> None:
    for n in range(10):
        subject = f"task:{n}"
        await sealed_by(vault, database, org, subject)

        async def rotated(subject: str = subject) -> None:
            async with database.write(org) as session:
                with suppress(Shredded):
                    await vault.rotate(session, org, subject)

        async def shredded(subject: str = subject) -> None:
            async with database.write(org) as session:
                await vault.shred(session, org, subject)

        await asyncio.gather(rotated(), shredded(), rotated())

    async with database.read(org) as session:
        living = await session.execute(text("SELECT count(*) FROM data_key WHERE state <> 'shredded'"))
        assert living.scalar_one() == 0


async def test_a_shredded_row_cannot_be_brought_back_even_with_its_old_bytes(
    vault: Vault, database: Database, org: OrgId
) -> None:
    await sealed_by(vault, database, org, "task:1")
    async with database.write(org) as session:
        wrapped = (await session.execute(text("SELECT wrapped FROM data_key"))).scalar_one()
        await vault.shred(session, org, "task:1")

    with pytest.raises(DBAPIError, match="stays shredded"):
        async with database.write(org) as session:
            await session.execute(text("UPDATE data_key SET state = 'active', wrapped = :w"), {"w": wrapped})


async def test_an_old_copy_of_the_key_row_opens_while_the_wrapping_key_lives(
    vault: Vault, key_file: LocalKeyFile, database: Database, org: OrgId
) -> None:
    """The limit `docs/vault.md` states: shredding does not reach into backups. The wrapping key's end does."""
    # Given a backup of the key's row, taken before it was shredded
    sealed = await sealed_by(vault, database, org, "task:1")
    async with database.write(org) as session:
        backup = (await session.execute(text("SELECT * FROM data_key"))).mappings().one()
        await vault.shred(session, org, "task:1")
    wrapped = WrappedKey(kek=KekName(scheme=backup["scheme"], kek_id=backup["kek_id"]), blob=bytes(backup["wrapped"]))
    context = WrapContext(org=org, key=backup["id"], subject="task:1", environment="test")

    # Then whoever has the wrapping key as well still opens it
    key = await key_file.unwrap(wrapped, context)
    assert record.open_sealed(key, sealed, record.place(org, ROW, "body")) == b"words"

    # And nobody does, once the wrapping key was replaced and retired
    await key_file.add()
    await key_file.retire(backup["kek_id"])
    with pytest.raises(KeyFileRefused):
        await key_file.unwrap(wrapped, context)
