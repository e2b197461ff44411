"""Retention an organisation chooses, holds, erasure and its receipts."""

from alembic import op

from joule.database.migrations.ending import ERASE, FORGET, HELD
from joule.database.migrations.tenancy import protect

revision = "0015"
down_revision = "0014"

TABLES = """
CREATE TABLE trace_retention (
    org_id      uuid        NOT NULL,
    from_day    date        NOT NULL,
    days        integer     NOT NULL,
    set_by      uuid,
    set_at      timestamptz NOT NULL,
    decision_id uuid        NOT NULL,
    PRIMARY KEY (org_id, from_day),
    CONSTRAINT trace_retention_days CHECK (days BETWEEN 1 AND 2557)
);

CREATE TABLE legal_hold (
    org_id          uuid        NOT NULL,
    id              uuid        NOT NULL,
    scope           text        NOT NULL,
    subject_id      uuid,
    reason          bytea       NOT NULL,
    placed_by       uuid,
    placed_at       timestamptz NOT NULL,
    lifted_by       uuid,
    lifted_at       timestamptz,
    lifted_decision uuid,
    decision_id     uuid        NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT legal_hold_scope CHECK (scope IN ('organisation', 'person', 'task')),
    CONSTRAINT legal_hold_subject CHECK ((scope = 'organisation') = (subject_id IS NULL)),
    CONSTRAINT legal_hold_lifted CHECK ((lifted_at IS NULL) = (lifted_decision IS NULL))
);

CREATE TABLE trace_erasure (
    org_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    subject     text        NOT NULL,
    cause       text        NOT NULL,
    keys        integer     NOT NULL,
    by          uuid,
    at          timestamptz NOT NULL,
    decision_id uuid        NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT trace_erasure_subject CHECK (subject ~ '^((task|person|day):[A-Za-z0-9-]{10,36})?$'),
    CONSTRAINT trace_erasure_cause CHECK (cause IN ('retention', 'request', 'deletion'))
);
CREATE INDEX trace_erasure_of ON trace_erasure (org_id, subject);

CREATE TABLE erasure_receipt (
    org_id      uuid        NOT NULL,
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    subject_id  uuid,
    note        text        NOT NULL,
    at          timestamptz NOT NULL,
    by          uuid,
    decision_id uuid        NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT erasure_receipt_kind CHECK (kind IN ('retention', 'task', 'person', 'organisation'))
);

CREATE INDEX trace_chain_by_start ON trace_chain USING brin (started_at);
ALTER TABLE trace_chain DROP CONSTRAINT trace_chain_retention_check;
ALTER TABLE trace_chain ADD CONSTRAINT trace_chain_retention_check
    CHECK (retention IN ('1d', '7d', '30d', '90d', '1y', '7y', 'hold'));
ALTER TABLE trace_chain DROP CONSTRAINT trace_chain_key_subject_check;
ALTER TABLE trace_chain ADD CONSTRAINT trace_chain_key_subject_check CHECK (key_subject ~
    '^(task:[0-9a-f-]{36}(@[0-9]{4}-[0-9]{2}-[0-9]{2})?|day:[0-9]{4}-[0-9]{2}-[0-9]{2}(/person:[0-9a-f-]{36})?)$');
"""

_DOORS = (
    "trace_keep_held(text)",
    "trace_release_held(uuid)",
    "trace_forget_chains(text, integer)",
    "trace_drop_expired(text)",
    "organisation_erase(uuid)",
)
_INNER = ("trace_is_held(uuid, uuid, text)", "trace_horizon(text)", "trace_unit(text)")
# What an erasure deletes can be read from the server's pages until they are vacuumed, so the application may do that.
_VACUUMED = ("person", "thread", "task", "memory_item", "memory_entry", "project_file", "file_version", "artifact")
_ORDER = ("trace_retention", "legal_hold", "trace_erasure", "erasure_receipt")


def upgrade() -> None:
    op.execute(TABLES)
    protect("trace_retention", grants="SELECT, INSERT, UPDATE")
    protect("legal_hold", grants="SELECT, INSERT, UPDATE")
    protect("trace_erasure", grants="SELECT, INSERT")
    protect("erasure_receipt", grants="SELECT, INSERT")
    op.execute(HELD)
    op.execute(FORGET)
    op.execute(ERASE)
    for table in _VACUUMED:
        op.execute(f"GRANT MAINTAIN ON {table} TO joule_app")
    for door in (*_DOORS, *_INNER):
        op.execute(f"REVOKE ALL ON FUNCTION {door} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {door} TO joule_app")


def downgrade() -> None:
    for table in _VACUUMED:
        op.execute(f"REVOKE MAINTAIN ON {table} FROM joule_app")
    for function in (*_DOORS, *_INNER):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP TABLE trace_event_hold, trace_content_hold")
    op.execute("DROP POLICY sweep_reads ON trace_chain")
    op.execute("DROP POLICY sweep_deletes ON trace_chain")
    op.execute("DROP INDEX trace_chain_by_start")
    for table in reversed(_ORDER):
        op.execute(f"DROP TABLE {table}")
