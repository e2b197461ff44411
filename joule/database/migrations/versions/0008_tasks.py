"""Threads, tasks and the queue.

The queue is procrastinate's, in a PostgreSQL schema of its own. Its tables name no organisation: a job carries the
ids of an organisation and a task, and nothing else.
"""

from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from joule.database.migrations.tenancy import protect

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_THREAD = """
CREATE TABLE thread (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    title bytea NOT NULL,
    author uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id)
)
"""

_TASK = """
CREATE TABLE task (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    thread_id uuid NOT NULL,
    project_id uuid NOT NULL,
    author uuid NOT NULL,
    follows uuid,
    replaces uuid,
    request bytea NOT NULL,
    answer bytea,
    label jsonb NOT NULL,
    state text NOT NULL,
    code text,
    attempt integer NOT NULL DEFAULT 0,
    crashes integer NOT NULL DEFAULT 0,
    worker text,
    parked boolean NOT NULL DEFAULT false,
    answered boolean NOT NULL DEFAULT false,
    retention text NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    stop_requested_at timestamptz,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT task_thread FOREIGN KEY (org_id, thread_id) REFERENCES thread (org_id, id) ON DELETE CASCADE,
    CONSTRAINT task_state_known CHECK (state IN ('queued', 'running', 'waiting', 'done', 'failed', 'stopped')),
    CONSTRAINT task_failure_has_code CHECK ((state = 'failed') = (code IS NOT NULL)),
    CONSTRAINT task_end_has_time CHECK ((state IN ('done', 'failed', 'stopped')) = (ended_at IS NOT NULL))
)
"""

# The same table of moves as joule/tasks/state.py (a test compares them): the database refuses any other.
_MOVES = """
CREATE FUNCTION task_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'queued' THEN
            RAISE EXCEPTION 'a task starts queued, not %', NEW.state USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'an attempt is never taken back' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state = 'queued' AND NEW.state IN ('running', 'stopped', 'failed'))
        OR (OLD.state = 'running' AND NEW.state IN ('queued', 'waiting', 'done', 'failed', 'stopped'))
        OR (OLD.state = 'waiting' AND NEW.state IN ('queued', 'stopped'))
    ) THEN
        RAISE EXCEPTION 'a task that is % cannot become %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$
"""

_QUEUE_GRANTS = (
    "GRANT USAGE ON SCHEMA queue TO joule_app",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA queue TO joule_app",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA queue TO joule_app",
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA queue FROM PUBLIC",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA queue TO joule_app",
)


def upgrade() -> None:
    op.execute(_THREAD)
    op.execute("CREATE INDEX thread_by_project ON thread (org_id, project_id, updated_at DESC)")
    op.execute(_TASK)
    op.execute("CREATE INDEX task_by_thread ON task (org_id, thread_id, id)")
    op.execute("CREATE INDEX task_by_time ON task (org_id, id DESC)")
    op.execute("CREATE INDEX task_unended ON task (org_id, state, id) WHERE state IN ('queued', 'running', 'waiting')")
    op.execute(_MOVES)
    op.execute("CREATE TRIGGER task_moves BEFORE INSERT OR UPDATE ON task FOR EACH ROW EXECUTE FUNCTION task_moves()")
    protect("thread", grants="SELECT, INSERT, UPDATE, DELETE")
    protect("task", grants="SELECT, INSERT, UPDATE, DELETE")
    _create_queue()


def _create_queue() -> None:
    """Run procrastinate's own schema file inside the schema `queue`, and leave the search path as it was."""
    before = op.get_bind().execute(text("SHOW search_path")).scalar_one()
    op.execute("CREATE SCHEMA queue")
    op.execute("SET LOCAL search_path = queue")
    # Several statements with percent signs of their own: sent as they are, never as a template.
    op.get_bind().exec_driver_sql(SchemaManager.get_schema(), execution_options={"no_parameters": True})
    for grant in _QUEUE_GRANTS:
        op.execute(grant)
    op.get_bind().execute(text("SELECT set_config('search_path', :path, true)"), {"path": before})


def downgrade() -> None:
    op.execute("DROP SCHEMA queue CASCADE")
    op.execute("DROP TABLE task")
    op.execute("DROP FUNCTION task_moves()")
    op.execute("DROP TABLE thread")
