"""An organisation's own policies, and what-if reports."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0016"
down_revision = "0015"

TABLES = """
CREATE TABLE policy_version (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    number integer NOT NULL,
    state text NOT NULL,
    source bytea NOT NULL,
    policies integer NOT NULL,
    replaces uuid,
    saved_at timestamptz NOT NULL,
    saved_by uuid,
    changed_at timestamptz NOT NULL,
    changed_by uuid,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT policy_version_number UNIQUE (org_id, number),
    CONSTRAINT policy_version_state CHECK (state IN ('draft', 'trial', 'enforced', 'retired')),
    CONSTRAINT policy_version_counts CHECK (number > 0 AND policies > 0)
);
CREATE UNIQUE INDEX policy_version_one_of_each ON policy_version (org_id, state) WHERE state <> 'retired';
CREATE TABLE what_if (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    state text NOT NULL,
    version uuid,
    number integer NOT NULL,
    bundle text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    reached timestamptz NOT NULL,
    decisions integer NOT NULL,
    found jsonb NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_by uuid,
    ended_at timestamptz,
    expires_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT what_if_state CHECK (state IN ('running', 'done')),
    CONSTRAINT what_if_order CHECK (since <= reached AND reached <= until)
);
CREATE INDEX what_if_newest ON what_if (org_id, asked_at);
"""


def upgrade() -> None:
    op.execute(TABLES)
    protect("policy_version", grants="SELECT, INSERT, UPDATE, DELETE")
    protect("what_if", grants="SELECT, INSERT, UPDATE, DELETE")


def downgrade() -> None:
    op.execute("DROP TABLE what_if, policy_version")
