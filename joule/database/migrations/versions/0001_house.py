"""What every room stands on: the application may look round the schema, and nobody else may do anything."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    op.execute("GRANT USAGE ON SCHEMA public TO joule_app")
    # The application reads the schema's age at every start.
    op.execute("GRANT SELECT ON alembic_version TO joule_app")
    # What a later version makes is closed until that version opens it. (Only the global default can take EXECUTE away.)
    op.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")


def downgrade() -> None:
    op.execute("ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC")
    op.execute("REVOKE SELECT ON alembic_version FROM joule_app")
    op.execute("REVOKE USAGE ON SCHEMA public FROM joule_app")
    op.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
