"""Connected accounts, continued: what issuers publish is pinned, and grants are looked at where their providers let them be."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PINS = r"""
CREATE TABLE issuer_pin (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    issuer_key bytea NOT NULL,
    found bytea NOT NULL,
    pinned_at timestamptz NOT NULL,
    refused_at timestamptz,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT issuer_pin_provider CHECK (provider ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT issuer_pin_issuer_key CHECK (octet_length(issuer_key) = 32),
    CONSTRAINT issuer_pin_one_each UNIQUE (org_id, provider, issuer_key)
);
"""

_LOOKED_AT = """
ALTER TABLE oauth_grant ADD COLUMN look_at timestamptz;
CREATE INDEX oauth_grant_look ON oauth_grant (org_id, look_at) WHERE look_at IS NOT NULL;
"""

_SIGN_IN = """
ALTER TABLE mcp_server ADD COLUMN sign_in bytea;
ALTER TABLE mcp_server ADD COLUMN removed_at timestamptz;
ALTER TABLE mcp_server DROP CONSTRAINT mcp_server_one_each;
CREATE UNIQUE INDEX mcp_server_one_each ON mcp_server (org_id, url_key) WHERE removed_at IS NULL;
"""


def upgrade() -> None:
    _pin_issuers()
    op.execute(_LOOKED_AT)
    op.execute(_SIGN_IN)


def downgrade() -> None:
    op.execute("DELETE FROM mcp_server WHERE removed_at IS NOT NULL")
    op.execute("DROP INDEX mcp_server_one_each")
    op.execute("ALTER TABLE mcp_server ADD CONSTRAINT mcp_server_one_each UNIQUE (org_id, url_key)")
    op.execute("ALTER TABLE mcp_server DROP COLUMN sign_in, DROP COLUMN removed_at")
    op.execute("DROP INDEX oauth_grant_look")
    op.execute("ALTER TABLE oauth_grant DROP COLUMN look_at")
    op.execute("DROP TABLE issuer_pin")


def _pin_issuers() -> None:
    op.execute(_PINS)
    protect("issuer_pin", grants="SELECT, INSERT, UPDATE, DELETE")
