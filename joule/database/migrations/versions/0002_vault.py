"""Data keys, wrapped by a key that is not in the database."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE data_key (
            org_id     uuid        NOT NULL,
            id         uuid        NOT NULL,
            subject    text        NOT NULL,
            ordinal    integer     NOT NULL,
            scheme     text        NOT NULL,
            kek_id     text        NOT NULL,
            wrapped    bytea       NOT NULL,
            state      text        NOT NULL,
            created_at timestamptz NOT NULL,
            ended_at   timestamptz,
            PRIMARY KEY (org_id, id),
            CONSTRAINT data_key_subject_is_an_id CHECK (subject ~ '^([a-z]+:[A-Za-z0-9._-]{1,80})?$'),
            CONSTRAINT data_key_state_known CHECK (state IN ('active', 'retired', 'shredded')),
            CONSTRAINT data_key_shredded_is_empty CHECK ((state = 'shredded') = (octet_length(wrapped) = 0)),
            CONSTRAINT data_key_one_of_each_ordinal UNIQUE (org_id, subject, ordinal)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX data_key_one_active ON data_key (org_id, subject) WHERE state = 'active'")
    op.execute("CREATE INDEX data_key_by_kek ON data_key (scheme, kek_id) WHERE state <> 'shredded'")
    protect("data_key", grants="SELECT, INSERT")
    # What a key is for never changes, and a row never goes away: a shredded one is the proof that it was.
    op.execute("GRANT UPDATE (scheme, kek_id, wrapped, state, ended_at) ON data_key TO joule_app")
    # Rotating the wrapping key concerns every organisation at once; it is done by the owner of the schema, not by the
    # application, whose sessions see one organisation.
    op.execute("CREATE POLICY rewrap_reads ON data_key FOR SELECT TO CURRENT_USER USING (true)")
    op.execute("CREATE POLICY rewrap_writes ON data_key FOR UPDATE TO CURRENT_USER USING (true)")
    op.execute(
        """
        CREATE FUNCTION data_key_stays_shredded() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'a shredded key stays shredded' USING ERRCODE = 'check_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER data_key_stays_shredded BEFORE UPDATE ON data_key
        FOR EACH ROW WHEN (OLD.state = 'shredded') EXECUTE FUNCTION data_key_stays_shredded()
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE data_key")
    op.execute("DROP FUNCTION data_key_stays_shredded()")
