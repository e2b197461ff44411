"""Sandboxes: the sessions of threads, what came out of them, and the bytes in the artifact store."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LABEL_COLUMNS = """
    integrity text NOT NULL,
    training text NOT NULL,
    readers uuid[],
    categories text[] NOT NULL,
    purposes text[] NOT NULL,
    sources text[] NOT NULL,
"""


def _label_checks(table: str) -> str:
    return rf"""
    CONSTRAINT {table}_integrity CHECK (integrity IN ('trusted', 'untrusted')),
    CONSTRAINT {table}_training CHECK (training IN ('denied', 'allowed')),
    CONSTRAINT {table}_categories CHECK (array_to_string(categories, ' ') ~ '^[a-z_. ]*$'),
    CONSTRAINT {table}_purposes CHECK (array_to_string(purposes, ' ') ~ '^[a-z_. ]*$'),
    CONSTRAINT {table}_sources
        CHECK (array_to_string(sources, ' ') ~ '^([a-z_]+:[A-Za-z0-9._/-]{{1,80}}( |$))*$')
"""


_TABLES = rf"""
CREATE TABLE sandbox_session (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    thread_id uuid NOT NULL,
    backend text NOT NULL,
    boundary text NOT NULL,
    sandbox text NOT NULL,
    state text NOT NULL,
    cause text,
    files bytea NOT NULL,
    generation integer NOT NULL,
    runs integer NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    source_task uuid NOT NULL,
    decision_id uuid NOT NULL,
    {_LABEL_COLUMNS}
    PRIMARY KEY (org_id, id),
    CONSTRAINT sandbox_session_backend CHECK (backend ~ '^[a-z][a-z0-9_]{{0,40}}$'),
    CONSTRAINT sandbox_session_boundary CHECK (boundary IN ('namespace', 'gvisor', 'microvm')),
    CONSTRAINT sandbox_session_sandbox CHECK (sandbox ~ '^[A-Za-z0-9._-]{{1,100}}$'),
    CONSTRAINT sandbox_session_state CHECK (state IN ('warm', 'ended')),
    CONSTRAINT sandbox_session_cause CHECK (cause IN ('expired', 'gone', 'broken', 'asked')),
    CONSTRAINT sandbox_session_ended CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    {_label_checks("sandbox_session")}
);
CREATE UNIQUE INDEX sandbox_session_one_warm ON sandbox_session (org_id, thread_id) WHERE state = 'warm';
CREATE TABLE artifact_blob (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    content_key bytea NOT NULL,
    size bigint NOT NULL,
    state text NOT NULL,
    changed_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT artifact_blob_content_key CHECK (octet_length(content_key) = 32),
    CONSTRAINT artifact_blob_size CHECK (size >= 0),
    CONSTRAINT artifact_blob_state CHECK (state IN ('staged', 'kept', 'doomed'))
);
CREATE UNIQUE INDEX artifact_blob_once ON artifact_blob (org_id, content_key) WHERE state = 'kept';
CREATE TABLE artifact (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    thread_id uuid NOT NULL,
    session_id uuid,
    author uuid,
    name bytea,
    generation integer NOT NULL,
    blob_id uuid,
    size bigint NOT NULL,
    media_type text NOT NULL,
    pinned boolean NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    gone_at timestamptz,
    cause text,
    source_task uuid NOT NULL,
    decision_id uuid NOT NULL,
    {_LABEL_COLUMNS}
    PRIMARY KEY (org_id, id),
    CONSTRAINT artifact_artifact_blob FOREIGN KEY (org_id, blob_id) REFERENCES artifact_blob (org_id, id),
    CONSTRAINT artifact_size CHECK (size >= 0),
    CONSTRAINT artifact_media_type CHECK (media_type ~ '^[a-z0-9][a-z0-9.+/-]{{0,100}}$'),
    CONSTRAINT artifact_cause CHECK (cause IN ('expired', 'deleted', 'project')),
    CONSTRAINT artifact_gone_has_no_name CHECK ((gone_at IS NULL) = (name IS NOT NULL)),
    CONSTRAINT artifact_gone_has_no_bytes CHECK ((gone_at IS NULL) = (blob_id IS NOT NULL)),
    CONSTRAINT artifact_gone_has_a_cause CHECK ((gone_at IS NULL) = (cause IS NULL)),
    {_label_checks("artifact")}
);
CREATE INDEX artifact_by_blob ON artifact (org_id, blob_id);
CREATE INDEX artifact_by_project ON artifact (org_id, project_id);
CREATE INDEX artifact_by_task ON artifact (org_id, source_task);
CREATE INDEX artifact_ends ON artifact (org_id, expires_at) WHERE gone_at IS NULL AND NOT pinned;
"""

_ORDER = ("sandbox_session", "artifact_blob", "artifact")


def upgrade() -> None:
    op.execute(_TABLES)
    for table in _ORDER:
        protect(table, grants="SELECT, INSERT, UPDATE, DELETE")


def downgrade() -> None:
    for table in reversed(_ORDER):
        op.execute(f"DROP TABLE {table}")
