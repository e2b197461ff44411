"""The whole journal of an organisation is checked where it lies: whoever changes the database is found."""

from datetime import date, timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.kernel.ids import OrgId, new_id
from tests.support.postgres import TestServer
from tests.traces.proof.test_sealing import checked, record
from traces.opening import Journals
from traces.proof.forgetting import forget_seals
from traces.proof.proofs import Proofs

ONE = "task_id = (SELECT task_id FROM trace_chain WHERE org_id = %(org)s ORDER BY task_id LIMIT 1)"
OTHER = "task_id = (SELECT task_id FROM trace_chain WHERE org_id = %(org)s ORDER BY task_id DESC LIMIT 1)"
BY_HAND = {
    "a row is edited": f"UPDATE trace_event SET head = replace(convert_from(head, 'UTF8'), 'model/1', 'model/7')::bytea WHERE {ONE} AND seq = 1",
    "a row is edited and hashed anew": f"UPDATE trace_event SET head = replace(convert_from(head, 'UTF8'), 'model/2', 'model/7')::bytea, hash = sha256('\\x00'::bytea || replace(convert_from(head, 'UTF8'), 'model/2', 'model/7')::bytea) WHERE {ONE} AND seq = 2",
    "a row is deleted": f"DELETE FROM trace_event WHERE {ONE} AND seq = 1",
    "the end is cut off, and the chain says so": f"DELETE FROM trace_event WHERE {ONE} AND seq = 2; UPDATE trace_chain c SET next_seq = 2, head = (SELECT hash FROM trace_event e WHERE e.{ONE} AND e.seq = 1) WHERE c.{ONE}",
    "a whole task is deleted": f"DELETE FROM trace_event WHERE {ONE}; DELETE FROM trace_chain WHERE {ONE}",
    "ciphertexts are swapped": f"UPDATE trace_content t SET sealed = (SELECT sealed FROM trace_content o WHERE o.{OTHER} AND o.seq = t.seq) WHERE t.{ONE}",
    "rows are moved to another task": f"DELETE FROM trace_event WHERE {ONE} AND seq = 1; UPDATE trace_event SET task_id = (SELECT task_id FROM trace_chain WHERE org_id = %(org)s ORDER BY task_id LIMIT 1) WHERE {OTHER} AND seq = 1",
    "a seal is edited": f"UPDATE trace_seal SET rows = 2 WHERE {ONE}",
    "a seal is deleted": f"DELETE FROM trace_seal WHERE {ONE}",
    "the last head is deleted with its seals": "DELETE FROM trace_head WHERE org_id = %(org)s AND number = 2; DELETE FROM trace_seal WHERE org_id = %(org)s AND position = 2",
    "a head is deleted": "DELETE FROM trace_head WHERE org_id = %(org)s AND number = 1",
    "a head's root is changed": "UPDATE trace_head SET root = sha256(root) WHERE org_id = %(org)s AND number = 2",
    "a head's note is changed": "UPDATE trace_head SET note = replace(note, 'time 20', 'time 19') WHERE org_id = %(org)s AND number = 2",
}
# Nothing there contradicts it: only a head that somebody kept does. It is what docs/proof.md says cannot be shown.
NEEDS_A_KEPT_HEAD = {"the last head is deleted with its seals"}


@pytest.fixture
async def orgs(journals: Journals, proving: Proofs) -> dict[str, OrgId]:
    """An organisation for each way, with three sealed tasks and two heads."""
    made = {}
    for name in BY_HAND:
        made[name] = OrgId(new_id())
        for _ in range(2):
            await record(journals, made[name], rows=3)
        await proving.sealing.seal(made[name])
        await record(journals, made[name], rows=3)
        await proving.sealing.seal(made[name])
    return made


async def test_whatever_is_changed_in_the_database_by_hand_is_found(
    proving: Proofs, orgs: dict[str, OrgId], test_server: TestServer, owner_url: str
):
    for org in orgs.values():
        assert (await checked(proving, org)).problems == ()  # untouched it holds

    superuser = test_server.superuser_url(str(conninfo_to_dict(owner_url)["dbname"]))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no trigger stands in the way
        for name, org in orgs.items():
            for statement in BY_HAND[name].split("; "):
                connection.execute(statement, {"org": org})

    found = {name: bool((await checked(proving, org)).problems) for name, org in orgs.items()}
    assert {name for name, is_found in found.items() if not is_found} == NEEDS_A_KEPT_HEAD


async def test_seals_go_after_their_chains_and_the_last_head_of_a_day_stays(
    proving: Proofs, journals: Journals, database: Database, org: OrgId, test_server: TestServer, owner_url: str
):
    for _ in range(2):
        await record(journals, org)
        await proving.sealing.seal(org)
    superuser = test_server.superuser_url(str(conninfo_to_dict(owner_url)["dbname"]))
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE trace_seal SET day = day - 200")
        connection.execute("UPDATE trace_head SET day = day - 200")
        assert await forgotten(database, org) == 0  # their chains are there

        connection.execute("DELETE FROM trace_chain")
        assert await forgotten(database, org) == 2

        left = connection.execute("SELECT (SELECT count(*) FROM trace_seal), size FROM trace_head").fetchall()
    assert left == [(0, 2)]


async def forgotten(database: Database, org: OrgId, *, older: int = 90) -> int:
    """How many seals of class 90d went that are older than so many days."""
    before = date.today() - timedelta(days=older)  # noqa: DTZ011 - the database asks its own clock
    async with database.write(org) as session:
        return await forget_seals(session, retention="90d", before=before, many=100)


async def test_seals_that_are_not_past_their_time_cannot_be_deleted(database: Database, org: OrgId):
    with pytest.raises(DBAPIError, match="not past their time"):
        await forgotten(database, org, older=80)
