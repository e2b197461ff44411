"""The knowledge base: documents, their versions, the pieces they are found by, vectors, and what is gone for good."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_MEDIA_TYPES = """
    'text/plain', 'text/csv', 'text/markdown', 'text/html', 'application/json', 'application/pdf',
    'image/png', 'image/jpeg', 'image/gif', 'image/webp',
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    'application/vnd.openxmlformats-officedocument.presentationml.presentation',
    'application/zip', 'application/octet-stream'
"""

_LABEL_COLUMNS = """
    author      uuid,
    via         text   NOT NULL,
    source_task uuid   NOT NULL,
    integrity   text   NOT NULL,
    training    text   NOT NULL,
    readers     uuid[],
    categories  text[] NOT NULL,
    purposes    text[] NOT NULL,
    sources     text[] NOT NULL
"""

_STATES = "'queued', 'reading', 'indexing', 'ready', 'failed'"


def _label_checks(table: str) -> str:
    """Labels hold words and ids only: no place for free text."""
    return f"""
        CONSTRAINT {table}_via CHECK (via IN ('person', 'agent', 'system')),
        CONSTRAINT {table}_integrity CHECK (integrity IN ('trusted', 'untrusted')),
        CONSTRAINT {table}_training CHECK (training IN ('denied', 'allowed')),
        CONSTRAINT {table}_categories CHECK (array_to_string(categories, ' ') ~ '^[a-z_. ]*$'),
        CONSTRAINT {table}_purposes CHECK (array_to_string(purposes, ' ') ~ '^[a-z_. ]*$'),
        CONSTRAINT {table}_sources
            CHECK (array_to_string(sources, ' ') ~ '^([a-z_]+:[A-Za-z0-9._/-]{{1,80}}( |$))*$')
    """


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TABLE document (
            {_LABEL_COLUMNS},
            org_id        uuid        NOT NULL,
            id            uuid        NOT NULL,
            project_id    uuid        NOT NULL,
            title         bytea       NOT NULL,
            title_key     bytea       NOT NULL,
            generation    integer     NOT NULL,
            source_kind   text        NOT NULL,
            connection_id uuid,
            external_key  bytea,
            state         text        NOT NULL,
            failure       text,
            version       integer     NOT NULL,
            newest        integer     NOT NULL,
            build         uuid,
            lease_until   timestamptz,
            attempts      integer     NOT NULL,
            created_at    timestamptz NOT NULL,
            updated_at    timestamptz NOT NULL,
            decision_id   uuid        NOT NULL,
            PRIMARY KEY (org_id, id),
            CONSTRAINT document_project FOREIGN KEY (org_id, project_id)
                REFERENCES project (org_id, id) ON DELETE CASCADE,
            CONSTRAINT document_source_kind CHECK (source_kind IN ('upload', 'connection', 'web_page')),
            CONSTRAINT document_external CHECK ((source_kind = 'connection') = (connection_id IS NOT NULL)),
            CONSTRAINT document_state CHECK (state IN ({_STATES})),
            CONSTRAINT document_failure CHECK (failure ~ '^[a-z_.]{{1,60}}$'),
            CONSTRAINT document_versions CHECK (newest >= 1 AND version BETWEEN 0 AND newest),
            CONSTRAINT document_title_key CHECK (octet_length(title_key) = 32),
            CONSTRAINT document_external_key CHECK (octet_length(external_key) = 32),
            CONSTRAINT document_one_of_each_title UNIQUE (org_id, project_id, title_key),
            {_label_checks("document")}
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX document_one_of_each_external ON document (org_id, project_id, external_key)"
        " WHERE external_key IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX document_due ON document (org_id, lease_until) WHERE state IN ('queued', 'reading', 'indexing')"
    )
    op.execute(
        f"""
        CREATE TABLE document_version (
            {_LABEL_COLUMNS},
            org_id          uuid        NOT NULL,
            document_id     uuid        NOT NULL,
            version         integer     NOT NULL,
            content         bytea,
            generation      integer     NOT NULL,
            content_key     bytea       NOT NULL,
            size            integer     NOT NULL,
            media_type      text        NOT NULL,
            state           text        NOT NULL,
            failure         text,
            pages           integer,
            chunks          integer     NOT NULL,
            warnings        text[]      NOT NULL,
            parser          text        NOT NULL,
            embedding_model text,
            text            bytea,
            outline         bytea,
            created_at      timestamptz NOT NULL,
            decision_id     uuid        NOT NULL,
            PRIMARY KEY (org_id, document_id, version),
            CONSTRAINT document_version_document FOREIGN KEY (org_id, document_id)
                REFERENCES document (org_id, id) ON DELETE CASCADE,
            CONSTRAINT document_version_number CHECK (version >= 1),
            CONSTRAINT document_version_size CHECK (size >= 0 AND chunks >= 0),
            CONSTRAINT document_version_state CHECK (state IN ({_STATES})),
            CONSTRAINT document_version_failure CHECK (failure ~ '^[a-z_.]{{1,60}}$'),
            CONSTRAINT document_version_warnings CHECK (array_to_string(warnings, ' ') ~ '^[a-z_. ]*$'),
            CONSTRAINT document_version_parser CHECK (parser ~ '^[A-Za-z0-9._@-]{{0,80}}$'),
            CONSTRAINT document_version_embedding_model CHECK (embedding_model ~ '^[A-Za-z0-9._@/-]{{1,120}}$'),
            CONSTRAINT document_version_content_key CHECK (octet_length(content_key) = 32),
            CONSTRAINT document_version_media_type CHECK (media_type IN ({_MEDIA_TYPES})),
            {_label_checks("document_version")}
        )
        """
    )
    op.execute("CREATE INDEX document_version_by_content ON document_version (org_id, content_key)")
    op.execute(
        f"""
        CREATE TABLE chunk (
            {_LABEL_COLUMNS},
            org_id      uuid     NOT NULL,
            id          uuid     NOT NULL,
            project_id  uuid     NOT NULL,
            document_id uuid     NOT NULL,
            version     integer  NOT NULL,
            build       uuid     NOT NULL,
            ordinal     integer  NOT NULL,
            page        integer,
            heading     bytea    NOT NULL,
            text        bytea    NOT NULL,
            generation  integer  NOT NULL,
            text_key    bytea    NOT NULL,
            start_at    integer  NOT NULL,
            end_at      integer  NOT NULL,
            marks       text[]   NOT NULL,
            live        boolean  NOT NULL,
            decision_id uuid     NOT NULL,
            PRIMARY KEY (org_id, id),
            CONSTRAINT chunk_version FOREIGN KEY (org_id, document_id, version)
                REFERENCES document_version (org_id, document_id, version) ON DELETE CASCADE,
            CONSTRAINT chunk_once_in_a_build UNIQUE (org_id, document_id, build, ordinal),
            CONSTRAINT chunk_span CHECK (ordinal >= 0 AND 0 <= start_at AND start_at <= end_at),
            CONSTRAINT chunk_marks CHECK (array_to_string(marks, ' ') ~ '^[a-z_ ]*$'),
            CONSTRAINT chunk_text_key CHECK (octet_length(text_key) = 32),
            {_label_checks("chunk")}
        )
        """
    )
    op.execute("CREATE INDEX chunk_by_project ON chunk (org_id, project_id, live)")
    op.execute(
        """
        CREATE TABLE chunk_words (
            org_id      uuid     NOT NULL,
            chunk_id    uuid     NOT NULL,
            project_id  uuid     NOT NULL,
            words       tsvector NOT NULL,
            decision_id uuid     NOT NULL,
            PRIMARY KEY (org_id, chunk_id),
            CONSTRAINT chunk_words_chunk FOREIGN KEY (org_id, chunk_id)
                REFERENCES chunk (org_id, id) ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX chunk_words_found ON chunk_words USING gin (words)")
    op.execute(
        """
        CREATE TABLE chunk_vector (
            org_id      uuid         NOT NULL,
            chunk_id    uuid         NOT NULL,
            model       text         NOT NULL,
            project_id  uuid         NOT NULL,
            vector      halfvec(384) NOT NULL,
            large       boolean      NOT NULL,
            live        boolean      NOT NULL,
            decision_id uuid         NOT NULL,
            PRIMARY KEY (org_id, chunk_id, model),
            CONSTRAINT chunk_vector_chunk FOREIGN KEY (org_id, chunk_id)
                REFERENCES chunk (org_id, id) ON DELETE CASCADE,
            CONSTRAINT chunk_vector_model CHECK (model ~ '^[A-Za-z0-9._@/-]{1,120}$')
        )
        """
    )
    op.execute("CREATE INDEX chunk_vector_by_project ON chunk_vector (org_id, project_id, model, large)")
    # Only organisations flagged large are searched through it: below that the b-tree is exact, and faster.
    op.execute("CREATE INDEX chunk_vector_near ON chunk_vector USING hnsw (vector halfvec_cosine_ops) WHERE large")
    op.execute(
        """
        CREATE TABLE gone (
            org_id      uuid        NOT NULL,
            source      text        NOT NULL,
            at          timestamptz NOT NULL,
            decision_id uuid        NOT NULL,
            PRIMARY KEY (org_id, source),
            CONSTRAINT gone_source CHECK (source ~ '^[a-z_]+:[A-Za-z0-9._/-]{1,80}$')
        )
        """
    )
    op.execute(
        """
        CREATE TABLE text_rule (
            org_id      uuid        NOT NULL,
            masked      text[]      NOT NULL,
            set_by      uuid,
            updated_at  timestamptz NOT NULL,
            decision_id uuid        NOT NULL,
            PRIMARY KEY (org_id),
            CONSTRAINT text_rule_masked CHECK (array_to_string(masked, ' ') ~ '^[a-z_ ]*$')
        )
        """
    )
    # Sealed bytes do not compress; trying would only cost time.
    op.execute("ALTER TABLE document_version ALTER COLUMN content SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE document_version ALTER COLUMN text SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE document_version ALTER COLUMN outline SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE chunk ALTER COLUMN text SET STORAGE EXTERNAL")
    for table in ("document", "document_version", "chunk", "chunk_words", "chunk_vector"):
        protect(table, grants="SELECT, INSERT, UPDATE, DELETE")
        # What was deleted stands on the pages of heap and index until they are vacuumed, which the application does.
        op.execute(f"GRANT MAINTAIN ON {table} TO joule_app")
    # Under row-level security the server looks rows up only by operators that are known to leak nothing, and `@@` is not
    # one of them: as a condition of a query it would read every row there is. As a policy's own condition it uses the
    # index. Without words, no rows. (SELECT: the words are read once, not for every row.)
    op.execute(
        "CREATE POLICY by_words ON chunk_words AS RESTRICTIVE FOR SELECT"
        " USING (words @@ (SELECT NULLIF(current_setting('joule.words', true), '')::tsquery))"
    )
    # How many pieces of a project hold each word, counted up to `most`: common words say little, and cost much.
    op.execute(
        """
        CREATE FUNCTION chunk_word_counts(wanted text[], project uuid, most integer)
        RETURNS TABLE (word text, chunks bigint) LANGUAGE plpgsql AS $$
        BEGIN
            FOREACH word IN ARRAY wanted LOOP
                PERFORM set_config('joule.words', quote_literal(word), true);
                SELECT count(*) INTO chunks
                  FROM (SELECT FROM chunk_words w WHERE w.project_id = project LIMIT most) AS held;
                RETURN NEXT;
            END LOOP;
            PERFORM set_config('joule.words', '', true);
        END $$
        """
    )
    op.execute("GRANT EXECUTE ON FUNCTION chunk_word_counts(text[], uuid, integer) TO joule_app")
    protect("text_rule", grants="SELECT, INSERT, UPDATE, DELETE")
    # What is gone stays gone: nothing takes a tombstone away.
    protect("gone", grants="SELECT, INSERT")


def downgrade() -> None:
    op.execute("DROP FUNCTION chunk_word_counts(text[], uuid, integer)")
    for table in ("text_rule", "gone", "chunk_vector", "chunk_words", "chunk", "document_version", "document"):
        op.execute(f"DROP TABLE {table}")
