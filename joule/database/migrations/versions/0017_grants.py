"""Support's access to content, only with the customer's grant, and every read of it on record."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0017"
down_revision = "0016"

_KNOWN = "ARRAY['request', 'arguments', 'results', 'answer']"

# That two people agreed, and that nothing stays open for long, is kept here too, whatever the code above says.
_TABLES = f"""
CREATE TABLE content_access (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    asked_by uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_parts text[] NOT NULL,
    asked_hours integer NOT NULL,
    reason bytea NOT NULL,
    parts text[] NOT NULL,
    answered_by uuid,
    answered_at timestamptz,
    expires_at timestamptz,
    ended_by uuid,
    ended_at timestamptz,
    seen_by uuid,
    seen_at timestamptz,
    forget_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT content_access_kind CHECK (kind IN ('request', 'break_glass')),
    CONSTRAINT content_access_state CHECK (state IN ('asked', 'granted', 'declined', 'revoked', 'withdrawn')),
    CONSTRAINT content_access_parts
        CHECK (asked_parts <@ {_KNOWN} AND parts <@ asked_parts AND cardinality(asked_parts) > 0),
    CONSTRAINT content_access_two_people CHECK (answered_by <> asked_by),
    CONSTRAINT content_access_granted_by_somebody_until_then CHECK (
        state <> 'granted' OR (answered_by IS NOT NULL AND expires_at IS NOT NULL AND cardinality(parts) > 0)),
    CONSTRAINT content_access_ends_soon CHECK (
        expires_at <= answered_at + CASE kind WHEN 'break_glass' THEN interval '4 hours' ELSE interval '7 days' END)
);
CREATE UNIQUE INDEX content_access_one_open ON content_access (org_id, task_id, asked_by, kind) WHERE state = 'asked';
CREATE INDEX content_access_by_task ON content_access (org_id, task_id);
CREATE INDEX content_access_open ON content_access (org_id, state) WHERE state IN ('asked', 'granted');
CREATE INDEX content_access_ends ON content_access (org_id, forget_at);

CREATE TABLE content_read (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    access_id uuid,
    reader_id uuid NOT NULL,
    role text NOT NULL,
    parts text[] NOT NULL,
    at timestamptz NOT NULL,
    forget_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT content_read_parts CHECK (parts <@ {_KNOWN} AND cardinality(parts) > 0),
    CONSTRAINT content_read_role CHECK (role IN ('owner', 'admin', 'support')),
    CONSTRAINT content_read_support_has_a_grant CHECK (role <> 'support' OR access_id IS NOT NULL)
);
CREATE INDEX content_read_by_time ON content_read (org_id, at DESC);
CREATE INDEX content_read_by_task ON content_read (org_id, task_id);
CREATE INDEX content_read_ends ON content_read (org_id, forget_at);
"""

# The audit log pages through what people and Joule's upkeep did by command, among many more rows of the agent.
_COMMANDS = "CREATE INDEX trace_event_commands ON trace_event (org_id, at, task_id) WHERE call = 'command'"


def upgrade() -> None:
    op.execute(_TABLES)
    protect("content_access", grants="SELECT, INSERT, UPDATE, DELETE")
    protect("content_read", grants="SELECT, INSERT, DELETE")
    op.execute(_COMMANDS)


def downgrade() -> None:
    op.execute("DROP INDEX trace_event_commands")
    op.execute("DROP TABLE content_read")
    op.execute("DROP TABLE content_access")
