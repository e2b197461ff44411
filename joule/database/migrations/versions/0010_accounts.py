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
ALTER TABLE mcp_tool ADD COLUMN former bytea;
ALTER TABLE mcp_tool ADD COLUMN former_generation integer;
"""

# All that a call of a connected account is checked against, and the sealed tokens with the keys that open them, as they
# are at this moment: one statement, since every call of every account waits for it.
_GLANCE = r"""
CREATE FUNCTION account_at_hand(_org uuid, _connection uuid)
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
           coalesce(r.allowed, true), r.scopes,
           k.id, k.subject, k.ordinal, k.scheme, k.kek_id, k.wrapped, k.state
    FROM connection c
    JOIN oauth_grant g ON g.org_id = c.org_id AND g.id = c.grant_id
    LEFT JOIN provider_rule r ON r.org_id = c.org_id AND r.provider = c.provider
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


_MEMBERS = """
ALTER TABLE provider_rule ADD COLUMN members_to text;
ALTER TABLE provider_rule ADD CONSTRAINT provider_rule_members CHECK (members_to IN ('R1P', 'R2', 'R3'));
"""


def upgrade() -> None:
    op.execute(_MEMBERS)
    _pin_issuers()
    op.execute(_LOOKED_AT)
    op.execute("GRANT UPDATE (decision_id) ON receipt_key TO joule_app")  # with `private`, as a newer data key seals it
    op.execute(_GLANCE)
    op.execute("GRANT EXECUTE ON FUNCTION account_at_hand TO joule_app")
    op.execute(_SIGN_IN)


def downgrade() -> None:
    op.execute("ALTER TABLE provider_rule DROP COLUMN members_to")
    op.execute("DROP FUNCTION account_at_hand")
    op.execute("REVOKE UPDATE (decision_id) ON receipt_key FROM joule_app")
    op.execute("DELETE FROM mcp_server WHERE removed_at IS NOT NULL")
    op.execute("DROP INDEX mcp_server_one_each")
    op.execute("ALTER TABLE mcp_server ADD CONSTRAINT mcp_server_one_each UNIQUE (org_id, url_key)")
    op.execute("ALTER TABLE mcp_server DROP COLUMN sign_in, DROP COLUMN removed_at")
    op.execute("ALTER TABLE mcp_tool DROP COLUMN former, DROP COLUMN former_generation")
    op.execute("DROP INDEX oauth_grant_look")
    op.execute("ALTER TABLE oauth_grant DROP COLUMN look_at")
    op.execute("DROP TABLE issuer_pin")


def _pin_issuers() -> None:
    op.execute(_PINS)
    protect("issuer_pin", grants="SELECT, INSERT, UPDATE, DELETE")
