"""Organisations are kept apart in every table there is, and the application can do nothing about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from joule.database.engine import Database
from joule.database.errors import OpenWall, UnsafeRole
from joule.database.server import ServerAddress
from joule.database.walls import check_role, check_walls, holes
from joule.kernel.ids import OrgId, new_id
from tests.database.conftest import as_role
from tests.support.postgres import TestServer

# Tables that name no organisation, and why.
NOBODYS = {
    "public.alembic_version": "the schema's age",
    "queue.procrastinate_events": "the queue's own bookkeeping: times and kinds",
    "queue.procrastinate_jobs": "a job carries the ids of an organisation and a task and nothing else",
    "queue.procrastinate_periodic_defers": "when upkeep last ran",
    "queue.procrastinate_workers": "heartbeats",
}

TABLES = """
    SELECT c.oid::regclass::text, n.nspname || '.' || c.relname,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id')
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema$)'
     ORDER BY 1
"""


def superuser(address: ServerAddress) -> str:
    return make_conninfo(address.owner_url, user="postgres")


def tables(url: str, *, of_organisations: bool) -> list[str]:
    with psycopg.connect(url) as connection:
        return [str(row[not of_organisations]) for row in connection.execute(TABLES) if row[2] is of_organisations]


async def test_every_table_of_the_catalogue_keeps_organisations_apart(database: Database) -> None:
    async with database.unscoped() as session:
        assert await holes(session) == ()
    await check_walls(database)


def test_every_table_without_an_organisation_has_a_reason(owner_url: str) -> None:
    assert set(tables(owner_url, of_organisations=False)) == set(NOBODYS)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ("ALTER TABLE note DISABLE ROW LEVEL SECURITY", "not forced"),
        ("ALTER TABLE note NO FORCE ROW LEVEL SECURITY", "not forced"),
        ("DROP POLICY tenant ON note", "no policy"),
        ("ALTER POLICY tenant ON note USING (true)", "no policy"),
        ("ALTER POLICY tenant ON note WITH CHECK (true)", "no policy"),
        ("ALTER POLICY tenant ON note TO joule_app USING (org_id IS NOT NULL)", "wider"),
        ("CREATE POLICY all_of_it ON note USING (true)", "wider"),
        ("CREATE POLICY directory ON note FOR SELECT TO joule_app USING (body = 'x')", "wider"),
        ("ALTER TABLE note DROP CONSTRAINT note_pkey; ALTER TABLE note ADD PRIMARY KEY (id, org_id)", "primary key"),
        ("ALTER TABLE note DROP CONSTRAINT note_pkey; ALTER TABLE note ALTER org_id DROP NOT NULL", "missing"),
        ("GRANT TRUNCATE ON note TO joule_app", "past the policy"),
        ("CREATE VIEW all_notes AS SELECT * FROM note; GRANT SELECT ON all_notes TO joule_app", "view"),
        ("CREATE TABLE bare (org_id uuid PRIMARY KEY)", "bare: row-level security is not forced"),
        ("CREATE SCHEMA aside CREATE TABLE bare (org_id uuid PRIMARY KEY)", "aside.bare"),
    ],
)
async def test_a_wall_that_was_taken_down_is_noticed_at_start(
    notes: Database, noted: ServerAddress, damage: str, word: str
) -> None:
    await check_walls(notes)

    as_role(noted.owner_url, damage)

    with pytest.raises(OpenWall, match=word):
        await check_walls(notes)


async def test_a_policy_for_the_owner_alone_is_no_hole(notes: Database, noted: ServerAddress) -> None:
    as_role(noted.owner_url, "CREATE POLICY upkeep ON note FOR SELECT TO CURRENT_USER USING (true)")

    await check_walls(notes)


@pytest.mark.parametrize(
    "attack",
    [
        "ALTER TABLE note DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE note NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE note ADD COLUMN x int",
        "DROP POLICY tenant ON note",
        "CREATE POLICY mine ON note USING (true)",
        "DROP TABLE note",
        "TRUNCATE note",
        "CREATE TABLE mine (a int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "SET ROLE joule_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION joule_owner",
        "ALTER ROLE joule_app BYPASSRLS",
        "ALTER ROLE joule_app SUPERUSER",
        "CREATE ROLE mine",
        "GRANT joule_owner TO joule_app",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET session_replication_role = replica",
        "COPY note TO PROGRAM 'cat'",
        "COPY note FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_the_application_cannot_take_the_wall_down(noted: ServerAddress, attack: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role(noted.app_url, attack)


def test_the_owner_and_the_operator_can_so_the_refusals_are_the_roles(noted: ServerAddress) -> None:
    as_role(noted.owner_url, "ALTER TABLE note DISABLE ROW LEVEL SECURITY")
    as_role(noted.owner_url, "TRUNCATE note")
    as_role(noted.owner_url, "DROP TABLE note")
    as_role(superuser(noted), "SET ROLE joule_owner")
    as_role(superuser(noted), "SET session_replication_role = replica")


def test_switching_row_security_off_is_an_error_not_a_way_round(noted: ServerAddress) -> None:
    with psycopg.connect(noted.app_url, autocommit=True) as connection:
        connection.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM note")


async def test_the_applications_own_role_is_accepted(database: Database) -> None:
    await check_role(database)


@contextmanager
def changed(test_server: TestServer, change: str, back: str) -> Iterator[None]:
    as_role(test_server.superuser_url(), change)
    try:
        yield
    finally:
        as_role(test_server.superuser_url(), back)


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("ALTER ROLE joule_app BYPASSRLS", "ALTER ROLE joule_app NOBYPASSRLS"),
        ("ALTER ROLE joule_app SUPERUSER", "ALTER ROLE joule_app NOSUPERUSER"),
        ("ALTER ROLE joule_app CREATEROLE", "ALTER ROLE joule_app NOCREATEROLE"),
        ("GRANT joule_owner TO joule_app", "REVOKE joule_owner FROM joule_app"),
        ("GRANT postgres TO joule_app", "REVOKE postgres FROM joule_app"),
        ("GRANT pg_read_all_data TO joule_app", "REVOKE pg_read_all_data FROM joule_app"),
        ("GRANT pg_execute_server_program TO joule_app", "REVOKE pg_execute_server_program FROM joule_app"),
    ],
)
async def test_a_role_that_could_pass_the_wall_is_refused(
    test_server: TestServer, database: Database, change: str, back: str
) -> None:
    with changed(test_server, change, back), pytest.raises(UnsafeRole):
        await check_role(database)

    await check_role(database)


@pytest.mark.parametrize("role", ["joule_owner", "postgres"])
async def test_the_owner_and_the_superuser_are_refused_as_the_application(address: ServerAddress, role: str) -> None:
    database = Database(make_conninfo(address.app_url, user=role))

    with pytest.raises(UnsafeRole):
        await check_role(database)

    await database.close()


class Planted:
    """One row of another organisation in every table, put there past all checks by the operator."""

    # One value fits every column of its type; '90d' is also a retention class, so that partitions take it.
    VALUES: ClassVar = {
        "uuid": "'00000000-0000-7000-8000-00000000000a'::uuid",
        "text": "'90d'",
        "bytea": r"'\x00'::bytea",
        "boolean": "false",
        "jsonb": "'{}'::jsonb",
        "timestamp with time zone": "now()",
        "date": "current_date",
        "tsvector": "'word'::tsvector",
        "halfvec": "array_fill(0::real, ARRAY[384])::halfvec",
    }

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self.tables = tables(address.owner_url, of_organisations=True)

    def plant(self, table: str, org: OrgId) -> None:
        with psycopg.connect(superuser(self._address), autocommit=True) as connection:
            # What is tried is the wall, not the shape of a row.
            for (name,) in connection.execute(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", [table]
            ):
                connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            connection.execute("SET session_replication_role = replica")  # no foreign keys
            connection.execute(self.insert(connection, table), {"org": org})

    def insert(self, connection: psycopg.Connection[Any], table: str) -> sql.SQL:
        columns = connection.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass"
            " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''",
            [table],
        ).fetchall()
        values = ["%(org)s" if name == "org_id" else self._value(kind) for name, kind in columns]
        names = ", ".join(f'"{name}"' for name, _ in columns)
        return sql.SQL(f"INSERT INTO {table} ({names}) VALUES ({', '.join(values)})")

    def _value(self, kind: str) -> str:
        return "'{}'" if kind.endswith("[]") else self.VALUES.get(kind, f"'0'::{kind}")


def seen(connection: psycopg.Connection[Any], table: str, org: OrgId) -> int:
    connection.execute("SELECT set_config('joule.org', %s, false)", [str(org)])
    connection.execute(
        "SELECT set_config('joule.words', 'word', false)"
    )  # one table shows only rows that are asked for
    found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert found is not None
    return int(found[0])


def granted(connection: psycopg.Connection[Any], table: str, what: str) -> bool:
    found = connection.execute("SELECT has_table_privilege(%s, %s)", [table, what]).fetchone()
    return found == (True,)


def test_no_row_of_another_organisation_can_be_read_changed_or_made_in_any_table(
    address: ServerAddress, org: OrgId
) -> None:
    planted, theirs = Planted(address), OrgId(new_id())
    tried = 0
    for table in planted.tables:
        planted.plant(table, theirs)
        with psycopg.connect(address.app_url, autocommit=True) as connection:
            if granted(connection, table, "SELECT"):
                assert seen(connection, table, theirs) == 1, f"{table}: its own organisation sees the row"
                assert seen(connection, table, org) == 0, table
            connection.execute("SELECT set_config('joule.org', %s, false)", [str(org)])
            if granted(connection, table, "UPDATE"):
                assert connection.execute(f"UPDATE {table} SET org_id = org_id").rowcount == 0, table
            if granted(connection, table, "DELETE"):
                assert connection.execute(f"DELETE FROM {table}").rowcount == 0, table
            if granted(connection, table, "INSERT"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                    connection.execute(planted.insert(connection, table), {"org": theirs})
                tried += 1

    assert tried > 0


def test_without_row_level_security_the_same_rows_are_seen(test_server: TestServer, address: ServerAddress) -> None:
    planted = Planted(address)
    stranger, theirs = OrgId(new_id()), OrgId(new_id())
    readable = []
    for table in planted.tables:
        planted.plant(table, theirs)
    with (
        changed(test_server, "ALTER ROLE joule_app BYPASSRLS", "ALTER ROLE joule_app NOBYPASSRLS"),
        psycopg.connect(address.app_url, autocommit=True) as connection,
    ):
        readable = [table for table in planted.tables if granted(connection, table, "SELECT")]
        assert [seen(connection, table, stranger) for table in readable] == [1] * len(readable)

    assert readable
