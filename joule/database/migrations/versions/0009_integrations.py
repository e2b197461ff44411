"""Connected accounts: who Joule is at a provider, consents under way, grants, connections, revocations, MCP servers."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = r"""
CREATE TABLE provider_client (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    client_id bytea NOT NULL,
    client_secret bytea,
    next_secret bytea,
    generation integer NOT NULL,
    set_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT provider_client_provider CHECK (provider ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT provider_client_one_each UNIQUE (org_id, provider)
);
CREATE TABLE provider_rule (
    org_id uuid NOT NULL,
    provider text NOT NULL,
    allowed boolean NOT NULL,
    scopes text[],
    set_by uuid,
    updated_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, provider),
    CONSTRAINT provider_rule_provider CHECK (provider ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT provider_rule_scopes CHECK (array_to_string(scopes, ' ') ~ '^[!-~ ]*$')
);
CREATE TABLE pending_authorization (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    state_key bytea NOT NULL,
    person_id uuid NOT NULL,
    session_id uuid NOT NULL,
    verifier bytea NOT NULL,
    redirect bytea NOT NULL,
    tenant bytea,
    return_to bytea,
    products text[] NOT NULL,
    scopes text[] NOT NULL,
    read_only boolean NOT NULL,
    connection_id uuid,
    task_id uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT pending_authorization_provider CHECK (provider ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT pending_authorization_state_key CHECK (octet_length(state_key) = 32),
    CONSTRAINT pending_authorization_brief CHECK (expires_at <= created_at + interval '10 minutes'),
    CONSTRAINT pending_authorization_scopes CHECK (array_to_string(scopes, ' ') ~ '^[!-~ ]*$'),
    CONSTRAINT pending_authorization_products CHECK (array_to_string(products, ' ') ~ '^[!-~ ]*$'),
    CONSTRAINT pending_authorization_state UNIQUE (org_id, state_key)
);
CREATE TABLE oauth_grant (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    family text NOT NULL,
    granted_by uuid NOT NULL,
    account bytea,
    tenant bytea,
    requested text[] NOT NULL,
    granted text[] NOT NULL,
    scope_source text NOT NULL,
    catalogue_version text NOT NULL,
    status text NOT NULL,
    problem text,
    tokens bytea,
    generation integer NOT NULL,
    can_refresh boolean NOT NULL,
    expires_at timestamptz,
    refresh_expires_at timestamptz,
    due_at timestamptz,
    refreshed_at timestamptz NOT NULL,
    lease_owner uuid,
    lease_until timestamptz,
    attempt_at timestamptz,
    cooldown_until timestamptz,
    failures integer NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT oauth_grant_provider CHECK (provider ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT oauth_grant_family CHECK (family ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT oauth_grant_status CHECK (status IN ('active', 'refresh_unknown', 'needs_reconnecting', 'revoked')),
    CONSTRAINT oauth_grant_scope_source
        CHECK (scope_source IN ('response', 'introspection', 'permissions_call', 'assumed')),
    CONSTRAINT oauth_grant_revoked_is_empty CHECK (status <> 'revoked' OR tokens IS NULL),
    CONSTRAINT oauth_grant_lease CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CONSTRAINT oauth_grant_problem CHECK (problem ~ '^[a-z_.]{1,60}$'),
    CONSTRAINT oauth_grant_requested CHECK (array_to_string(requested, ' ') ~ '^[!-~ ]*$'),
    CONSTRAINT oauth_grant_granted CHECK (array_to_string(granted, ' ') ~ '^[!-~ ]*$')
);
CREATE INDEX oauth_grant_due ON oauth_grant (org_id, due_at) WHERE due_at IS NOT NULL;
CREATE TABLE connection (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    grant_id uuid NOT NULL,
    provider text NOT NULL,
    status text NOT NULL,
    epoch integer NOT NULL,
    read_only boolean NOT NULL,
    connected_by uuid NOT NULL,
    connected_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz,
    revoked_by uuid,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT connection_grant FOREIGN KEY (org_id, grant_id) REFERENCES oauth_grant (org_id, id) ON DELETE CASCADE,
    CONSTRAINT connection_provider CHECK (provider ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT connection_status CHECK (status IN ('active', 'revoked')),
    CONSTRAINT connection_revoked CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE INDEX connection_of_grant ON connection (org_id, grant_id);
CREATE TABLE revocation (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    grant_id uuid NOT NULL,
    connection_id uuid,
    provider text NOT NULL,
    cause text NOT NULL,
    state text NOT NULL,
    tokens bytea,
    tenant bytea,
    outcomes text[] NOT NULL,
    attempts integer NOT NULL,
    next_at timestamptz NOT NULL,
    revoked_by uuid,
    task_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    receipt bytea,
    signature bytea,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT revocation_provider CHECK (provider ~ '^[a-z][a-z0-9_]{0,60}$'),
    CONSTRAINT revocation_state CHECK (state IN ('pending', 'done', 'gave_up')),
    CONSTRAINT revocation_cause CHECK (cause IN ('person', 'late_refresh', 'unfinished')),
    CONSTRAINT revocation_ended_is_empty CHECK (state = 'pending' OR tokens IS NULL),
    CONSTRAINT revocation_outcomes CHECK (array_to_string(outcomes, ' ') ~ '^[a-z_:0-9 ]*$'),
    CONSTRAINT revocation_signature CHECK (octet_length(signature) = 64)
);
CREATE INDEX revocation_due ON revocation (org_id, next_at) WHERE state = 'pending';
CREATE TABLE receipt_key (
    org_id uuid NOT NULL,
    private bytea NOT NULL,
    public bytea NOT NULL,
    created_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id),
    CONSTRAINT receipt_key_public CHECK (octet_length(public) = 32)
);
CREATE TABLE mcp_server (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    url bytea NOT NULL,
    url_key bytea NOT NULL,
    title bytea NOT NULL,
    added_by uuid,
    created_at timestamptz NOT NULL,
    looked_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT mcp_server_url_key CHECK (octet_length(url_key) = 32),
    CONSTRAINT mcp_server_one_each UNIQUE (org_id, url_key)
);
CREATE TABLE mcp_tool (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    server_id uuid NOT NULL,
    name bytea NOT NULL,
    name_key bytea NOT NULL,
    about bytea NOT NULL,
    generation integer NOT NULL,
    pin bytea NOT NULL,
    state text NOT NULL,
    reads_only boolean NOT NULL,
    present boolean NOT NULL,
    changed_at timestamptz,
    set_by uuid,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT mcp_tool_server FOREIGN KEY (org_id, server_id) REFERENCES mcp_server (org_id, id) ON DELETE CASCADE,
    CONSTRAINT mcp_tool_pin CHECK (octet_length(pin) = 32),
    CONSTRAINT mcp_tool_name_key CHECK (octet_length(name_key) = 32),
    CONSTRAINT mcp_tool_state CHECK (state IN ('off', 'ask', 'allow')),
    CONSTRAINT mcp_tool_allowed_only_reads CHECK (state <> 'allow' OR reads_only),
    CONSTRAINT mcp_tool_on_is_known CHECK (state = 'off' OR (present AND changed_at IS NULL)),
    CONSTRAINT mcp_tool_one_each UNIQUE (org_id, server_id, name_key)
);
"""

_ALL = "SELECT, INSERT, UPDATE, DELETE"


def upgrade() -> None:
    op.execute(_TABLES)
    for table in ("provider_client", "provider_rule", "pending_authorization", "mcp_server", "mcp_tool"):
        protect(table, grants=_ALL)
    # What was connected, and how it ended, stays on record for as long as the organisation does.
    for table in ("oauth_grant", "connection", "revocation"):
        protect(table, grants="SELECT, INSERT, UPDATE")
    protect("receipt_key", grants="SELECT, INSERT")
    op.execute("GRANT UPDATE (private) ON receipt_key TO joule_app")  # the same key under a newer data key
    op.execute(_FINAL)


def downgrade() -> None:
    for table in reversed(_ORDER):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION revoked_stays_revoked()")


_ORDER = (
    "provider_client",
    "provider_rule",
    "pending_authorization",
    "oauth_grant",
    "connection",
    "revocation",
    "receipt_key",
    "mcp_server",
    "mcp_tool",
)

# A disconnected account never comes back to life, whoever asks the database for it.
_FINAL = """
CREATE FUNCTION revoked_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was revoked stays revoked' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER connection_stays_revoked BEFORE UPDATE ON connection
FOR EACH ROW WHEN (OLD.status = 'revoked' AND NEW.status <> 'revoked') EXECUTE FUNCTION revoked_stays_revoked();
CREATE TRIGGER oauth_grant_stays_revoked BEFORE UPDATE ON oauth_grant
FOR EACH ROW WHEN (OLD.status = 'revoked' AND (NEW.status <> 'revoked' OR NEW.tokens IS NOT NULL))
EXECUTE FUNCTION revoked_stays_revoked();
"""
