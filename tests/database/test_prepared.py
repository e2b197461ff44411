"""The bare statement: its parameters arrive as they were meant, its errors have their names, a lost server is noticed."""

import asyncio

import psycopg
import pytest

from joule.database.engine import Database
from joule.database.prepared import Prepared, array, integer

ASSERT = """
CREATE FUNCTION expect(boolean) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN IF NOT $1 THEN RAISE EXCEPTION 'not as expected' USING ERRCODE = 'JL999'; END IF; END $$;
GRANT EXECUTE ON FUNCTION expect TO joule_app;
"""


@pytest.fixture
def expecting(database: Database, owner_url: str) -> Database:
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(ASSERT)
    return database


SAME = Prepared(
    "same",
    "SELECT expect($1 = -7 AND $2 = 'grün' AND $3 = '{1,2}'::integer[] AND $4 = '{a,\"b c\"}'::text[]"
    " AND $5 = ARRAY['\\x00ff'::bytea, ''::bytea] AND $6 = '{}'::text[])",
    *("integer", "text", "integer[]", "text[]", "bytea[]", "text[]"),
)
GIVEN = (
    integer(-7),
    "grün".encode(),
    array("integer[]", [integer(1), integer(2)]),
    array("text[]", [b"a", b"b c"]),
    array("bytea[]", [b"\x00\xff", b""]),
    array("text[]", []),
)


async def test_parameters_arrive_as_they_were_meant(expecting: Database):
    async with expecting.driver() as connection:
        await SAME.execute(connection, *GIVEN)
        with pytest.raises(psycopg.Error) as raised:
            await SAME.execute(connection, integer(8), *GIVEN[1:])
        assert raised.value.sqlstate == "JL999"
        await SAME.execute(connection, *GIVEN)  # an error leaves the connection as good as before


async def test_a_long_statement_goes_out_in_pieces(expecting: Database):
    long = Prepared("long", "SELECT expect(octet_length(($1)[1]) = 30000000)", "bytea[]")
    async with expecting.driver() as connection:
        await long.execute(connection, array("bytea[]", [bytes(30_000_000)]))


async def test_a_lost_connection_is_an_error_of_the_driver(expecting: Database):
    async with expecting.driver() as connection:
        await SAME.execute(connection, *GIVEN)
        with psycopg.connect(expecting.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            await SAME.execute(connection, *GIVEN)
    async with expecting.driver() as another:
        await SAME.execute(another, *GIVEN)


async def test_whoever_is_cut_off_leaves_no_statement_running(expecting: Database):
    sleep = Prepared("sleep", "SELECT pg_sleep($1)", "integer")
    async with expecting.driver() as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await sleep.execute(connection, integer(60))
        await SAME.execute(connection, *GIVEN)
