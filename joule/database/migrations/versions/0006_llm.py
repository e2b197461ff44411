"""The call log of language models: routing, tokens, times and cost; text is impossible by schema."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        r"""
        CREATE TABLE llm_call (
            org_id uuid NOT NULL,
            id uuid NOT NULL,
            decision_id uuid NOT NULL,
            task_id uuid NOT NULL,
            at timestamptz NOT NULL,
            provider text NOT NULL
                CONSTRAINT llm_call_provider
                CHECK (provider IN ('anthropic', 'bedrock', 'google', 'offline', 'openai')),
            model text NOT NULL
                CONSTRAINT llm_call_model CHECK (model ~ '^[A-Za-z0-9._:/@+-]{1,128}$'),
            recipient text NOT NULL
                CONSTRAINT llm_call_recipient CHECK (recipient ~ '^[a-z0-9._:\[\]-]{1,255}$'),
            request_commitment bytea NOT NULL
                CONSTRAINT llm_call_commitment CHECK (octet_length(request_commitment) = 32),
            attempts smallint NOT NULL,
            input_tokens integer NOT NULL,
            output_tokens integer NOT NULL,
            duration_us bigint NOT NULL,
            first_text_us bigint,
            spend_micros bigint NOT NULL,
            outcome text NOT NULL
                CONSTRAINT llm_call_outcome CHECK (outcome ~ '^[a-z_]{1,32}(\.[a-z_]{1,32})?$'),
            CONSTRAINT llm_call_counts CHECK (input_tokens >= 0 AND output_tokens >= 0 AND spend_micros >= 0),
            CONSTRAINT llm_call_times CHECK (attempts >= 1 AND duration_us >= 0 AND first_text_us >= 0),
            PRIMARY KEY (org_id, id)
        )
        """
    )
    op.execute("CREATE INDEX llm_call_by_task ON llm_call (org_id, task_id)")
    op.execute("CREATE INDEX llm_call_by_time ON llm_call (org_id, at)")
    # No UPDATE: what was sent to whom is not rewritten.
    protect("llm_call", grants="SELECT, INSERT, DELETE")


def downgrade() -> None:
    op.execute("DROP TABLE llm_call")
