"""Organisations, people, their addresses, sessions, sign-in links and the tries at passwords.

Names and addresses are sealed; what must be found again is kept as a keyed hash (an address) or as the SHA-256 of 256
random bits (a token), which cannot be guessed back.
"""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_DEPLOYMENT = "00000000-0000-0000-0000-000000000000"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE organisation (
            org_id uuid PRIMARY KEY,
            name bytea NOT NULL,
            created_at timestamptz NOT NULL,
            decision_id uuid NOT NULL
        )
        """
    )
    protect("organisation", grants="SELECT, INSERT, UPDATE, DELETE")
    # The deployment's own scope (the nil organisation) may count organisations, for `joule up` and the upkeep. Their
    # names stay sealed under keys it cannot see; it can change nothing.
    op.execute(
        f"""
        CREATE POLICY directory ON organisation FOR SELECT
        USING (NULLIF(current_setting('joule.org', true), '')::uuid = '{_DEPLOYMENT}'::uuid)
        """
    )

    op.execute(
        """
        CREATE TABLE person (
            org_id uuid NOT NULL REFERENCES organisation ON DELETE CASCADE,
            id uuid NOT NULL,
            name bytea NOT NULL,
            email bytea NOT NULL,
            role text NOT NULL CONSTRAINT person_role CHECK (role IN ('owner', 'admin', 'member', 'support')),
            status text NOT NULL CONSTRAINT person_status CHECK (status IN ('active', 'invited', 'deactivated')),
            password_hash text,
            created_at timestamptz NOT NULL,
            deactivated_at timestamptz,
            decision_id uuid NOT NULL,
            PRIMARY KEY (org_id, id),
            CONSTRAINT person_gone_cannot_sign_in
                CHECK (status <> 'deactivated' OR (password_hash IS NULL AND deactivated_at IS NOT NULL))
        )
        """
    )
    protect("person", grants="SELECT, INSERT, UPDATE, DELETE")

    op.execute(
        """
        CREATE TABLE person_address (
            org_id uuid NOT NULL,
            address_key bytea NOT NULL CONSTRAINT person_address_key CHECK (octet_length(address_key) = 32),
            person_id uuid NOT NULL,
            with_password boolean NOT NULL,
            decision_id uuid NOT NULL,
            PRIMARY KEY (org_id, address_key),
            CONSTRAINT person_address_one_each UNIQUE (org_id, person_id),
            FOREIGN KEY (org_id, person_id) REFERENCES person (org_id, id) ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX person_address_lookup ON person_address (address_key)")
    protect("person_address", grants="SELECT, INSERT, UPDATE, DELETE")
    # Somebody who signs in by e-mail has not said where they belong. This policy shows a row to whoever already holds
    # its exact 32-byte key, which takes the address and the deployment's sealed key: there is no listing, no prefix,
    # and nothing to learn but two ids. It reads only.
    op.execute(
        """
        CREATE POLICY by_address ON person_address FOR SELECT
        USING (address_key = decode(NULLIF(current_setting('joule.address_key', true), ''), 'hex'))
        """
    )

    op.execute(
        """
        CREATE TABLE web_session (
            org_id uuid NOT NULL,
            id uuid NOT NULL,
            token_key bytea NOT NULL CONSTRAINT web_session_token_key CHECK (octet_length(token_key) = 32),
            person_id uuid NOT NULL,
            opened_by text NOT NULL CONSTRAINT web_session_opened_by CHECK (opened_by IN ('link', 'password')),
            agent text NOT NULL CONSTRAINT web_session_agent
                CHECK (agent IN ('chrome', 'edge', 'firefox', 'safari', 'command_line', 'other')),
            created_at timestamptz NOT NULL,
            last_seen_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz,
            decision_id uuid NOT NULL,
            PRIMARY KEY (org_id, id),
            CONSTRAINT web_session_token UNIQUE (org_id, token_key),
            FOREIGN KEY (org_id, person_id) REFERENCES person (org_id, id) ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX web_session_person ON web_session (org_id, person_id)")
    protect("web_session", grants="SELECT, INSERT, UPDATE, DELETE")

    op.execute(
        """
        CREATE TABLE sign_in_link (
            org_id uuid NOT NULL,
            id uuid NOT NULL,
            token_key bytea NOT NULL CONSTRAINT sign_in_link_token_key CHECK (octet_length(token_key) = 32),
            person_id uuid NOT NULL,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            used_at timestamptz,
            decision_id uuid NOT NULL,
            PRIMARY KEY (org_id, id),
            CONSTRAINT sign_in_link_token UNIQUE (org_id, token_key),
            FOREIGN KEY (org_id, person_id) REFERENCES person (org_id, id) ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX sign_in_link_person ON sign_in_link (org_id, person_id)")
    protect("sign_in_link", grants="SELECT, INSERT, UPDATE, DELETE")

    op.execute(
        """
        CREATE TABLE sign_in_try (
            org_id uuid NOT NULL,
            id uuid NOT NULL,
            address_key bytea NOT NULL CONSTRAINT sign_in_try_key CHECK (octet_length(address_key) = 32),
            tried_at timestamptz NOT NULL,
            decision_id uuid NOT NULL,
            PRIMARY KEY (org_id, id)
        )
        """
    )
    op.execute("CREATE INDEX sign_in_try_address ON sign_in_try (org_id, address_key, tried_at)")
    protect("sign_in_try", grants="SELECT, INSERT, DELETE")


def downgrade() -> None:
    for table in ("sign_in_try", "sign_in_link", "web_session", "person_address", "person", "organisation"):
        op.execute(f"DROP TABLE {table}")
