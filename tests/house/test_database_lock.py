"""The database holds the law too: an effect's row names its decision, and the journal can only be added to."""

import psycopg
import pytest

from joule.database.server import ServerAddress

# Tables the application may write to whose rows are no effect of a decision, and why.
UNDECIDED = {
    "data_key": "a key is made for whatever is first sealed under it, and is shredded with it",
    "trace_chain": "the journal's own bookkeeping: where each chain stands",
    "trace_event": "the journal: a row of it is what a decision is recorded in",
    "trace_content": "the journal's sealed content",
    "trace_seal": "how far chains had come: sealing the journal is part of writing it",
    "trace_head": "the signed heads over it",
    "trace_signing_key": "the first key is made by whatever is signed first; replacing it is an action of the deployment's",
    "queue.procrastinate_events": "the queue's own bookkeeping",
    "queue.procrastinate_jobs": "a job is queued again by upkeep; the task it is for names its decision",
    "queue.procrastinate_periodic_defers": "when upkeep last ran",
    "queue.procrastinate_workers": "heartbeats",
}

WRITABLE = """
    SELECT c.oid::regclass::text,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'decision_id'
                      AND a.attnotnull AND a.atttypid = 'uuid'::regtype AND NOT a.atthasdef)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema$)'
       AND (has_table_privilege('joule_app', c.oid, 'INSERT') OR has_any_column_privilege('joule_app', c.oid, 'INSERT')
            OR has_any_column_privilege('joule_app', c.oid, 'UPDATE') OR has_table_privilege('joule_app', c.oid, 'DELETE'))
     ORDER BY 1
"""

JOURNAL = """
    SELECT c.oid::regclass::text, privilege
      FROM pg_class c,
           unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) privilege
     WHERE c.relkind IN ('r', 'p') AND c.relname ~ '^trace_(event|content)' AND c.relispartition = %s
       AND (has_table_privilege('joule_app', c.oid, privilege)
            OR (privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                AND has_any_column_privilege('joule_app', c.oid, privilege)))
"""


def without_a_decision(url: str) -> set[str]:
    """Tables the application can change that do not insist on a decision."""
    with psycopg.connect(url) as connection:
        return {table for table, insists in connection.execute(WRITABLE) if not insists}


def rights(url: str, *, partitions: bool) -> set[tuple[str, str]]:
    """What the application may do with the journal's tables, or with their partitions."""
    with psycopg.connect(url) as connection:
        return set(connection.execute(JOURNAL, [partitions]).fetchall())


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_every_row_an_effect_makes_names_the_decision_that_allowed_it(owner_url: str) -> None:
    assert without_a_decision(owner_url) == set(UNDECIDED)


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE TABLE loose (id uuid PRIMARY KEY)",
        "CREATE TABLE loose (id uuid PRIMARY KEY, decision_id uuid)",
        "CREATE TABLE loose (id uuid PRIMARY KEY, decision_id text NOT NULL)",
        "CREATE TABLE loose (id uuid PRIMARY KEY, decision_id uuid NOT NULL DEFAULT gen_random_uuid())",
    ],
)
def test_a_table_that_does_not_insist_on_a_decision_is_caught(owner_url: str, planted: str) -> None:
    run(owner_url, planted)
    assert "loose" not in without_a_decision(owner_url)  # nobody may write to it yet

    run(owner_url, "GRANT UPDATE (id) ON loose TO joule_app")

    assert "loose" in without_a_decision(owner_url)


def test_a_row_without_a_decision_is_not_taken(address: ServerAddress) -> None:
    org = "00000000-0000-7000-8000-000000000001"
    with psycopg.connect(address.app_url) as connection:
        connection.execute("SELECT set_config('joule.org', %s, true)", [org])
        with pytest.raises(psycopg.errors.NotNullViolation, match="decision_id"):
            connection.execute("INSERT INTO approval (org_id, id, task_id) VALUES (%s, %s, %s)", [org] * 3)


def test_the_journal_can_be_read_and_added_to_and_nothing_else(owner_url: str) -> None:
    assert rights(owner_url, partitions=False) == {
        (table, right) for table in ("trace_event", "trace_content") for right in ("SELECT", "INSERT")
    }


def test_a_partition_of_the_journal_is_reached_only_through_its_parent(owner_url: str, app_url: str) -> None:
    run(app_url, "SELECT trace_ensure_partitions('7y', now(), now() + interval '60 days')")

    assert rights(owner_url, partitions=True) == set()


@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE"])
@pytest.mark.parametrize("table", ["trace_event", "trace_content"])
def test_a_right_to_change_what_is_written_is_caught(owner_url: str, table: str, right: str) -> None:
    run(owner_url, f"GRANT {right} ON {table} TO joule_app")

    assert (table, right) in rights(owner_url, partitions=False)


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET seq = 7", "TRUNCATE {}"])
@pytest.mark.parametrize("table", ["trace_event", "trace_content"])
def test_the_application_cannot_change_what_is_written(app_url: str, statement: str, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(app_url, statement.format(table))


def test_not_even_the_owner_changes_a_row_that_was_written(address: ServerAddress) -> None:
    org = "00000000-0000-7000-8000-000000000001"
    with psycopg.connect(address.owner_url) as connection:
        connection.execute("SELECT set_config('joule.org', %s, true)", [org])
        connection.execute(
            "INSERT INTO trace_event (org_id, task_id, seq, retention, at, kind, head, hash) "
            "VALUES (%s, %s, 0, '90d', now(), 'text.delta', '', decode(repeat('00', 32), 'hex'))",
            [org, org],
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            connection.execute("UPDATE trace_event SET kind = 'action.result'")
