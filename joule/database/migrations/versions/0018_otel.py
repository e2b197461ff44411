"""How far the journal was exported."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0018"
down_revision = "0017"

_TABLE = """
CREATE TABLE trace_export (
    org_id uuid NOT NULL,
    cursor bigint NOT NULL,
    part bigint NOT NULL,
    tried_at timestamptz,
    exported_at timestamptz,
    next_at timestamptz,
    failures integer NOT NULL CHECK (failures >= 0),
    problem text,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id),
    CONSTRAINT trace_export_problem CHECK (problem ~ '^[a-z][a-z_.]{0,60}$')
);
"""


def upgrade() -> None:
    op.execute(_TABLE)
    protect("trace_export", grants="SELECT, INSERT, UPDATE, DELETE")


def downgrade() -> None:
    op.execute("DROP TABLE trace_export")
