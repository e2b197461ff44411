"""Retention an organisation chooses, holds, erasure and its receipts."""

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
