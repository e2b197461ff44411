"""The migrations make the schema the code was written for, once, whole, and from wherever Joule is installed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.conninfo import make_conninfo
from sqlalchemy import CheckConstraint, create_engine

from joule.database import age, migrate
from joule.database.engine import Database
from joule.database.errors import DatabaseAway, DatabaseBusy, SchemaOutOfDate, UnsafeRole, VectorsMissing
from joule.database.server import ServerAddress
from tests.database.conftest import as_role
from tests.support.postgres import TestServer
from tests.support.rooms import all_tables


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_the_tables_in_the_code_are_the_tables_in_the_database(owner_url: str) -> None:
    metadata = all_tables()
    parts = {str(name) for (name,) in ask(owner_url, "SELECT relname FROM pg_class WHERE relispartition")}

    def ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", None)
        return table not in parts

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(owner_url))
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_object": ours}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_every_check_the_code_counts_on_is_in_the_database(owner_url: str) -> None:
    coded = {
        (table.name, str(check.name))
        for table in all_tables().tables.values()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }

    found = ask(
        owner_url,
        "SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
        " WHERE k.contype = 'c' AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace",
    )

    assert coded - set(found) == set()


def test_the_versions_form_one_line() -> None:
    line = [script.revision for script in ScriptDirectory(str(migrate._FOLDER)).walk_revisions()]

    assert line == [f"{number:04}" for number in range(len(line), 0, -1)]


async def test_a_migrated_database_is_as_old_as_the_program(database: Database, owner_url: str) -> None:
    assert migrate.current(owner_url) == age.head()
    await age.check_schema(database)


@pytest.mark.parametrize("other", ["0001", "9999"])
async def test_an_older_or_newer_schema_is_refused_at_start(database: Database, owner_url: str, other: str) -> None:
    as_role(owner_url, f"UPDATE alembic_version SET version_num = '{other}'")

    with pytest.raises(SchemaOutOfDate) as refused:
        await age.check_schema(database)

    assert other in str(refused.value)


async def test_an_empty_database_is_refused_at_start(test_server: TestServer) -> None:
    with test_server.clone(migrated=False) as empty:
        database = Database(empty.app_url)

        with pytest.raises(SchemaOutOfDate):
            await age.check_schema(database)

        assert migrate.current(empty.owner_url) is None
        await database.close()


def test_a_newer_schema_is_never_migrated(owner_url: str) -> None:
    as_role(owner_url, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaOutOfDate):
        migrate.upgrade(owner_url)


def test_migrators_that_race_do_the_work_once(test_server: TestServer) -> None:
    with test_server.clone(migrated=False) as empty, ThreadPoolExecutor(4) as pool:
        for attempt in [pool.submit(migrate.upgrade, empty.owner_url) for _ in range(4)]:
            attempt.result()

        assert migrate.current(empty.owner_url) == age.head()


def test_migrators_in_two_processes_do_the_work_once(test_server: TestServer) -> None:
    program = "import sys; from joule.database import migrate; migrate.upgrade(sys.argv[1])"
    with test_server.clone(migrated=False) as empty:
        command = [sys.executable, "-c", program, empty.owner_url]
        runs = [subprocess.Popen(command, cwd="/", stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [run.communicate()[1] for run in runs]

        assert [run.returncode for run in runs] == [0, 0], said
        assert migrate.current(empty.owner_url) == age.head()


def test_a_migration_that_fails_leaves_the_schema_as_it_was(test_server: TestServer) -> None:
    with test_server.clone(migrated=False) as empty:
        as_role(empty.owner_url, "CREATE TABLE data_key (in_the_way int)")

        with pytest.raises(Exception, match="already exists"):
            migrate.upgrade(empty.owner_url)

        assert migrate.current(empty.owner_url) is None
        as_role(empty.owner_url, "DROP TABLE data_key")
        migrate.upgrade(empty.owner_url)
        assert migrate.current(empty.owner_url) == age.head()


def test_a_migrator_does_not_queue_behind_a_busy_table(owner_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "_TABLE_LOCK", "100ms")
    with psycopg.connect(owner_url) as busy:
        busy.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(DatabaseBusy):
            migrate.upgrade(owner_url)

    migrate.upgrade(owner_url)


def test_the_schema_never_belongs_to_a_role_the_wall_does_not_bind(test_server: TestServer) -> None:
    with test_server.clone(migrated=False) as empty:
        with pytest.raises(UnsafeRole, match="does not bind"):
            migrate.upgrade(make_conninfo(empty.owner_url, user="postgres"))

        migrate.upgrade(empty.owner_url)


def test_without_the_applications_role_nothing_is_migrated(test_server: TestServer) -> None:
    with test_server.clone(migrated=False) as empty:
        as_role(test_server.superuser_url(), "ALTER ROLE joule_app RENAME TO mislaid")
        try:
            with pytest.raises(UnsafeRole, match="joule_app"):
                migrate.upgrade(empty.owner_url)
        finally:
            as_role(test_server.superuser_url(), "ALTER ROLE mislaid RENAME TO joule_app")

        migrate.upgrade(empty.owner_url)


def test_a_database_without_vectors_says_who_can_add_them(test_server: TestServer) -> None:
    with test_server.clone(migrated=False) as empty:
        superuser = make_conninfo(empty.owner_url, user="postgres")
        as_role(superuser, "DROP EXTENSION vector")

        with pytest.raises(VectorsMissing) as refused:
            migrate.upgrade(empty.owner_url)

        assert "CREATE EXTENSION vector" in refused.value.advice()
        assert migrate.current(empty.owner_url) is None
        as_role(superuser, "CREATE EXTENSION vector")
        migrate.upgrade(empty.owner_url)


def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(DatabaseAway):
        migrate.upgrade("host=/nowhere dbname=joule user=joule_owner")


def test_two_tests_never_share_a_database(test_server: TestServer) -> None:
    with test_server.clone() as one, test_server.clone() as other:
        as_role(one.owner_url, "CREATE TABLE mine (a int)")

        assert ask(other.owner_url, "SELECT to_regclass('mine')") == [(None,)]
    gone: ServerAddress = one
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(gone.owner_url)


def test_the_age_we_need_is_that_of_the_newest_version() -> None:
    assert age.head() == ScriptDirectory(str(age.VERSIONS.parent)).get_current_head()
