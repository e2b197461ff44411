"""Connected accounts, continued: organisations may allow only what they name, and accounts are told apart by a keyed hash."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ALLOW_LIST = """
CREATE TABLE allow_list (
    org_id uuid NOT NULL,
    only_listed boolean NOT NULL,
    set_by uuid,
    updated_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id)
);
"""

_ACCOUNTS = """
ALTER TABLE oauth_grant ADD COLUMN account_key bytea;
ALTER TABLE oauth_grant ADD CONSTRAINT oauth_grant_account_key CHECK (octet_length(account_key) = 32);
ALTER TABLE oauth_grant ADD COLUMN name_at timestamptz;
CREATE INDEX oauth_grant_name ON oauth_grant (org_id, name_at) WHERE name_at IS NOT NULL;
"""

_REVOCATIONS = """
ALTER TABLE revocation DROP CONSTRAINT revocation_state;
ALTER TABLE revocation ADD CONSTRAINT revocation_state CHECK (state IN ('pending', 'done', 'gave_up', 'shared'));
"""


def _glance(allowed: str, more: str = "") -> str:
    """What 0010 made, with `allowed` in its place."""
    return rf"""
CREATE OR REPLACE FUNCTION account_at_hand(_org uuid, _connection uuid)
RETURNS TABLE (
    provider text, status text, epoch integer, read_only boolean, used_at timestamptz, revoked_at timestamptz,
    grant_id uuid, grant_status text, grant_revoked_at timestamptz, granted text[], tokens bytea, generation integer,
    tenant bytea, allowed boolean, scopes text[],
    key_id uuid[], key_subject text[], key_ordinal integer[], key_scheme text[], key_kek text[], key_wrapped bytea[],
    key_state text[]
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('joule.org', _org::text, true);
    RETURN QUERY
    SELECT c.provider, c.status, c.epoch, c.read_only, c.used_at, c.revoked_at,
           g.id, g.status, g.revoked_at, g.granted, g.tokens, g.generation, g.tenant,
           {allowed}, r.scopes,
           k.id, k.subject, k.ordinal, k.scheme, k.kek_id, k.wrapped, k.state
    FROM connection c
    JOIN oauth_grant g ON g.org_id = c.org_id AND g.id = c.grant_id
    LEFT JOIN provider_rule r ON r.org_id = c.org_id AND r.provider = c.provider
    {more}
    CROSS JOIN LATERAL (
        SELECT array_agg(d.id ORDER BY d.ordinal) AS id, array_agg(d.subject ORDER BY d.ordinal) AS subject,
               array_agg(d.ordinal ORDER BY d.ordinal) AS ordinal, array_agg(d.scheme ORDER BY d.ordinal) AS scheme,
               array_agg(d.kek_id ORDER BY d.ordinal) AS kek_id, array_agg(d.wrapped ORDER BY d.ordinal) AS wrapped,
               array_agg(d.state ORDER BY d.ordinal) AS state
        FROM data_key d
        WHERE d.org_id = _org AND d.subject IN ('', 'grant:' || g.id::text)
    ) k
    WHERE c.org_id = _org AND c.id = _connection;
END $$;
"""


def upgrade() -> None:
    op.execute(_ALLOW_LIST)
    protect("allow_list", grants="SELECT, INSERT, UPDATE, DELETE")
    op.execute(_ACCOUNTS)
    op.execute(
        "UPDATE oauth_grant SET name_at = now() WHERE account IS NULL AND status IN ('active', 'refresh_unknown')"
    )
    op.execute(_REVOCATIONS)
    op.execute(
        _glance(
            r"coalesce(r.allowed, NOT coalesce(l.only_listed, false) OR c.provider LIKE 'mcp\_%')",
            "LEFT JOIN allow_list l ON l.org_id = c.org_id",
        )
    )


def downgrade() -> None:
    op.execute(_glance("coalesce(r.allowed, true)"))
    op.execute("DELETE FROM revocation WHERE state = 'shared'")
    op.execute("ALTER TABLE revocation DROP CONSTRAINT revocation_state")
    op.execute("ALTER TABLE revocation ADD CONSTRAINT revocation_state CHECK (state IN ('pending', 'done', 'gave_up'))")
    op.execute("ALTER TABLE oauth_grant DROP COLUMN account_key, DROP COLUMN name_at")
    op.execute("DROP TABLE allow_list")
