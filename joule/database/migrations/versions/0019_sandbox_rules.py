"""What an organisation decides about sandboxes: which kind, how long artifacts stay, which hosts code may reach."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE artifact_rule (
    org_id uuid NOT NULL,
    hours integer NOT NULL,
    set_by uuid,
    updated_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id),
    CONSTRAINT artifact_rule_hours CHECK (hours BETWEEN 1 AND 2160)
);
CREATE TABLE outside_host (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    name bytea NOT NULL,
    name_key bytea NOT NULL,
    port integer NOT NULL,
    header bytea,
    secret bytea,
    generation integer NOT NULL,
    added_by uuid,
    added_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT outside_host_name_key CHECK (octet_length(name_key) = 32),
    CONSTRAINT outside_host_port CHECK (port BETWEEN 1 AND 65535),
    CONSTRAINT outside_host_secret CHECK ((header IS NULL) = (secret IS NULL))
);
CREATE UNIQUE INDEX outside_host_once ON outside_host (org_id, name_key);
CREATE TABLE sandbox_choice (
    org_id uuid NOT NULL,
    backend text NOT NULL,
    set_by uuid,
    updated_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id),
    CONSTRAINT sandbox_choice_backend CHECK (backend ~ '^[a-z][a-z0-9_]{0,40}$')
);
"""

_ORDER = ("artifact_rule", "outside_host", "sandbox_choice")


def upgrade() -> None:
    op.execute(_TABLES)
    for table in _ORDER:
        protect(table, grants="SELECT, INSERT, UPDATE, DELETE")


def downgrade() -> None:
    for table in reversed(_ORDER):
        op.execute(f"DROP TABLE {table}")
