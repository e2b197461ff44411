"""A session sees its own organisation; a read session changes nothing; trouble with the server has a name."""

# ruff: noqa: PT012 - what ends a transaction happens in the middle of it

import asyncio
from typing import cast

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database, driver_of
from joule.database.errors import DatabaseAway, DatabaseBusy, DatabaseFull
from joule.database.server import ServerAddress
from joule.kernel.ids import OrgId, new_id
from tests.database.conftest import as_role

PUT = text("INSERT INTO note (org_id, body) VALUES (:org, :body)")
COUNT = text("SELECT count(*) FROM note")


async def put(database: Database, org: OrgId, body: str = "one") -> None:
    async with database.write(org) as session:
        await session.execute(PUT, {"org": org, "body": body})


async def count(session: AsyncSession) -> int:
    return int((await session.execute(COUNT)).scalar_one())


async def test_an_organisation_sees_its_own_rows_alone(notes: Database, org: OrgId) -> None:
    await put(notes, org)

    async with notes.read(org) as session:
        assert await count(session) == 1
    async with notes.read(OrgId(new_id())) as session:
        assert await count(session) == 0


async def test_without_an_organisation_there_are_no_rows_and_no_writes(notes: Database, org: OrgId) -> None:
    await put(notes, org)

    async with notes.unscoped() as session:
        assert await count(session) == 0
    with pytest.raises(DBAPIError, match="row-level security"):
        async with notes.unscoped() as session:
            await session.execute(PUT, {"org": org, "body": "x"})


async def test_the_next_user_of_a_connection_does_not_inherit_the_organisation(
    app_url: str, noted: object, org: OrgId
) -> None:
    database = Database(app_url, pool_size=1)
    await put(database, org)

    async with database.unscoped() as session:
        seen = await count(session)

    assert seen == 0
    await database.close()


async def test_nobody_writes_into_another_organisation(notes: Database, org: OrgId) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with notes.write(org) as session:
            await session.execute(PUT, {"org": new_id(), "body": "x"})

    await put(notes, org)  # the same statement is good for one's own


@pytest.mark.parametrize(
    "attack",
    [
        "INSERT INTO note (org_id, body) VALUES ('{org}', 'x')",
        "UPDATE note SET body = 'x'",
        "DELETE FROM note",
        "SELECT nextval('s')",
    ],
)
async def test_a_read_session_refuses_every_write(
    notes: Database, noted: ServerAddress, org: OrgId, attack: str
) -> None:
    as_role(noted.owner_url, "CREATE SEQUENCE s; GRANT USAGE ON SEQUENCE s TO joule_app")
    statement = text(attack.format(org=org))

    with pytest.raises(DBAPIError) as refused:
        async with notes.read(org) as session:
            await session.execute(statement)
    assert isinstance(refused.value.orig, psycopg.errors.ReadOnlySqlTransaction)

    async with notes.write(org) as session:
        await session.execute(statement)


async def test_a_read_session_cannot_be_turned_into_a_writing_one(notes: Database, org: OrgId) -> None:
    with pytest.raises(DBAPIError):
        async with notes.read(org) as session:
            await session.execute(text("SET TRANSACTION READ WRITE"))
    with pytest.raises(DBAPIError, match="read-only"):
        async with notes.read(org) as session:
            await session.commit()
            await session.execute(PUT, {"org": org, "body": "x"})

    await put(notes, org)


async def test_a_stray_commit_does_not_let_the_rest_out_of_the_organisation(notes: Database, org: OrgId) -> None:
    await put(notes, org)
    other = OrgId(new_id())

    async with notes.write(other) as session:
        await session.commit()
        assert await count(session) == 0
        await session.rollback()
        assert await count(session) == 0
        await session.execute(PUT, {"org": other, "body": "mine"})
        assert await count(session) == 1


async def test_an_organisation_named_past_the_session_is_forgotten_by_the_next(
    app_url: str, notes: Database, org: OrgId
) -> None:
    await put(notes, org)
    database = Database(app_url, pool_size=1)

    async with database.write(org) as session:
        await session.execute(text("SELECT set_config('joule.org', :org, false)"), {"org": str(org)})
    async with database.unscoped() as session:
        seen = await count(session)

    assert seen == 0
    await database.close()


async def test_only_an_id_can_name_an_organisation(database: Database) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        async with database.read(cast(OrgId, "'); DROP TABLE note; --")):
            pass


async def test_a_savepoint_takes_back_its_own_part(notes: Database, org: OrgId) -> None:
    async with notes.write(org) as session:
        await session.execute(PUT, {"org": org, "body": "kept"})
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                await session.execute(PUT, {"org": org, "body": None})
        await session.execute(PUT, {"org": org, "body": "kept too"})

    async with notes.read(org) as session:
        assert await count(session) == 2


async def test_an_error_takes_the_whole_transaction_back(notes: Database, org: OrgId) -> None:
    with pytest.raises(RuntimeError):
        async with notes.write(org) as session:
            await session.execute(PUT, {"org": org, "body": "x"})
            raise RuntimeError

    async with notes.read(org) as session:
        assert await count(session) == 0


async def test_the_driver_under_a_session_shares_its_transaction(notes: Database, org: OrgId) -> None:
    with pytest.raises(RuntimeError):
        async with notes.write(org) as session:
            driver = await driver_of(session)
            await driver.execute("INSERT INTO note (org_id, body) VALUES (%s, 'x')", [org])
            assert await count(session) == 1
            raise RuntimeError

    async with notes.read(org) as session:
        assert await count(session) == 0


async def test_a_server_that_is_not_there_is_away(org: OrgId) -> None:
    database = Database("host=/nowhere dbname=joule user=joule_app")

    with pytest.raises(DatabaseAway) as away:
        async with database.read(org) as session:
            await count(session)

    assert away.value.advice()
    await database.close()


async def test_a_connection_that_is_cut_is_away_and_the_pool_recovers(
    notes: Database, noted: ServerAddress, org: OrgId
) -> None:
    await put(notes, org)

    with pytest.raises(DatabaseAway):
        async with notes.read(org) as session:
            number = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            superuser = psycopg.conninfo.make_conninfo(noted.owner_url, user="postgres")
            as_role(superuser, f"SELECT pg_terminate_backend({number}, 5000)")
            await count(session)

    async with notes.read(org) as session:
        assert await count(session) == 1


async def test_an_error_of_the_caller_stays_the_callers(notes: Database, org: OrgId) -> None:
    with pytest.raises(ConnectionRefusedError):
        async with notes.write(org):
            raise ConnectionRefusedError
    with pytest.raises(IntegrityError):
        async with notes.write(org) as session:
            await session.execute(text("INSERT INTO note (org_id, body) VALUES (:org, NULL)"), {"org": org})


async def test_waiting_too_long_for_a_row_or_a_connection_is_busy(noted: ServerAddress, org: OrgId) -> None:
    database = Database(noted.app_url, pool_size=2)
    await put(database, org)
    with pytest.raises(DatabaseBusy):
        async with database.write(org) as first:
            await first.execute(text("SELECT * FROM note FOR UPDATE"))
            async with database.write(org) as second:
                await second.execute(text("SET LOCAL lock_timeout = '50ms'"))
                await second.execute(text("SELECT * FROM note FOR UPDATE"))

    async with database.read(org) as session:
        assert await count(session) == 1
    await database.close()


async def test_a_full_disk_is_said_plainly_and_nothing_is_kept(
    notes: Database, noted: ServerAddress, org: OrgId
) -> None:
    as_role(
        noted.owner_url,
        """CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
           CREATE TRIGGER fill AFTER INSERT ON note EXECUTE FUNCTION fill()""",
    )

    with pytest.raises(DatabaseFull) as full:
        await put(notes, org)

    assert "disk" in full.value.advice()
    async with notes.read(org) as session:
        assert await count(session) == 0


async def test_plans_are_made_for_each_organisation_anew(notes: Database, app_url: str, org: OrgId) -> None:
    other = OrgId(new_id())
    database = Database(app_url, pool_size=1)
    await put(database, org)
    counts = []

    for turn in range(12):  # past the fifth use, where PostgreSQL would turn to a generic plan
        async with database.read(org if turn % 2 else other) as session:
            counts.append(await count(session))

    assert counts == [0, 1] * 6
    await database.close()


async def test_many_at_once_never_see_each_other(notes: Database, noted: ServerAddress) -> None:
    orgs = [OrgId(new_id()) for _ in range(20)]
    database = Database(noted.app_url, pool_size=4)

    async def live(org: OrgId, mine: int) -> int:
        for _ in range(mine):
            await put(database, org)
        async with database.read(org) as session:
            return await count(session)

    seen = await asyncio.gather(*(live(org, mine) for mine, org in enumerate(orgs)))

    assert seen == list(range(20))
    await database.close()
