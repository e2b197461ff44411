"""Approvals: what people have been asked to agree to."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0007"
down_revision = "0006"

TABLES = """
CREATE TABLE approval (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    task_id uuid NOT NULL,
    decision_id uuid NOT NULL,
    call text NOT NULL,
    action text NOT NULL,
    binding bytea NOT NULL CHECK (octet_length(binding) = 32),
    state text NOT NULL CONSTRAINT approval_state_check CHECK (state IN ('asked', 'approved', 'declined', 'spent')),
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    answered_at timestamptz,
    answered_by uuid,
    note bytea,
    PRIMARY KEY (org_id, id),
    CHECK ((state = 'asked') = (answered_by IS NULL))
);
CREATE INDEX approval_of_task ON approval (org_id, task_id);
"""


def upgrade() -> None:
    op.execute(TABLES)
    protect("approval", grants="SELECT, INSERT, UPDATE, DELETE")


def downgrade() -> None:
    op.execute("DROP TABLE approval")
