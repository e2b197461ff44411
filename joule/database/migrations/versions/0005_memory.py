"""Projects, remembered items, project files and their versions."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0005"
down_revision = "0004"
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
        """
        CREATE TABLE project (
            org_id      uuid        NOT NULL,
            id          uuid        NOT NULL,
            title       bytea       NOT NULL,
            generation  integer     NOT NULL,
            author      uuid,
            created_at  timestamptz NOT NULL,
            updated_at  timestamptz NOT NULL,
            decision_id uuid        NOT NULL,
            PRIMARY KEY (org_id, id)
        )
        """
    )
    op.execute(
        f"""
        CREATE TABLE memory_item (
            {_LABEL_COLUMNS},
            org_id        uuid        NOT NULL,
            id            uuid        NOT NULL,
            project_id    uuid        NOT NULL,
            kind          text        NOT NULL,
            text          bytea       NOT NULL,
            text_key      bytea       NOT NULL,
            generation    integer     NOT NULL,
            pinned        boolean     NOT NULL,
            expires_at    timestamptz,
            superseded_by uuid,
            created_at    timestamptz NOT NULL,
            updated_at    timestamptz NOT NULL,
            decision_id   uuid        NOT NULL,
            PRIMARY KEY (org_id, id),
            CONSTRAINT memory_item_project FOREIGN KEY (org_id, project_id)
                REFERENCES project (org_id, id) ON DELETE CASCADE,
            CONSTRAINT memory_item_successor FOREIGN KEY (org_id, superseded_by)
                REFERENCES memory_item (org_id, id) ON DELETE CASCADE,
            CONSTRAINT memory_item_said_once UNIQUE (org_id, project_id, text_key),
            CONSTRAINT memory_item_kind CHECK (kind IN ('fact', 'preference', 'rule')),
            CONSTRAINT memory_item_not_its_own_successor CHECK (superseded_by <> id),
            {_label_checks("memory_item")}
        )
        """
    )
    op.execute("CREATE INDEX memory_item_ends ON memory_item (org_id, expires_at) WHERE expires_at IS NOT NULL")
    op.execute(
        "CREATE INDEX memory_item_replaced ON memory_item (org_id, superseded_by) WHERE superseded_by IS NOT NULL"
    )
    op.execute(
        """
        CREATE TABLE project_file (
            org_id      uuid        NOT NULL,
            id          uuid        NOT NULL,
            project_id  uuid        NOT NULL,
            name        bytea       NOT NULL,
            name_key    bytea       NOT NULL,
            generation  integer     NOT NULL,
            newest      integer     NOT NULL,
            created_at  timestamptz NOT NULL,
            deleted_at  timestamptz,
            decision_id uuid        NOT NULL,
            PRIMARY KEY (org_id, id),
            CONSTRAINT project_file_project FOREIGN KEY (org_id, project_id)
                REFERENCES project (org_id, id) ON DELETE CASCADE,
            CONSTRAINT project_file_newest CHECK (newest >= 1)
        )
        """
    )
    # Two deleted files may have had the name that a third has now.
    op.execute(
        "CREATE UNIQUE INDEX project_file_one_of_each_name ON project_file (org_id, project_id, name_key)"
        " WHERE deleted_at IS NULL"
    )
    op.execute("CREATE INDEX project_file_by_project ON project_file (org_id, project_id)")
    op.execute("CREATE INDEX project_file_deleted ON project_file (org_id, deleted_at) WHERE deleted_at IS NOT NULL")
    op.execute(
        f"""
        CREATE TABLE file_version (
            {_LABEL_COLUMNS},
            org_id      uuid        NOT NULL,
            file_id     uuid        NOT NULL,
            version     integer     NOT NULL,
            content     bytea       NOT NULL,
            generation  integer     NOT NULL,
            content_key bytea       NOT NULL,
            size        integer     NOT NULL,
            media_type  text        NOT NULL,
            created_at  timestamptz NOT NULL,
            decision_id uuid        NOT NULL,
            PRIMARY KEY (org_id, file_id, version),
            CONSTRAINT file_version_file FOREIGN KEY (org_id, file_id)
                REFERENCES project_file (org_id, id) ON DELETE CASCADE,
            CONSTRAINT file_version_number CHECK (version >= 1),
            CONSTRAINT file_version_size CHECK (size >= 0),
            CONSTRAINT file_version_media_type CHECK (media_type IN ({_MEDIA_TYPES})),
            {_label_checks("file_version")}
        )
        """
    )
    # Sealed bytes do not compress; trying would only cost time.
    op.execute("ALTER TABLE file_version ALTER COLUMN content SET STORAGE EXTERNAL")
    protect("project", grants="SELECT, INSERT, UPDATE, DELETE")
    protect("memory_item", grants="SELECT, INSERT, UPDATE, DELETE")
    protect("project_file", grants="SELECT, INSERT, UPDATE, DELETE")
    # A version says what a file was: it can go away, it cannot become something else.
    protect("file_version", grants="SELECT, INSERT, DELETE")
    op.execute("GRANT UPDATE (content, generation) ON file_version TO joule_app")  # the same bytes under a newer key


def downgrade() -> None:
    for table in ("file_version", "project_file", "memory_item", "project"):
        op.execute(f"DROP TABLE {table}")
