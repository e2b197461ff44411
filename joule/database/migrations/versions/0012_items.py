"""What items are about, how sure they are and what they were made from; switches, training consents, others' entries."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = r"""
ALTER TABLE memory_item
    ADD COLUMN state text NOT NULL DEFAULT 'live',
    ADD COLUMN subject bytea,
    ADD COLUMN subject_key bytea,
    ADD COLUMN confidence integer NOT NULL DEFAULT 100,
    ADD COLUMN valid_from timestamptz,
    ADD COLUMN valid_to timestamptz,
    ADD COLUMN contradicts uuid,
    ADD CONSTRAINT memory_item_state CHECK (state IN ('live', 'proposed')),
    ADD CONSTRAINT memory_item_confidence CHECK (confidence BETWEEN 0 AND 100),
    ADD CONSTRAINT memory_item_validity CHECK (valid_to > valid_from),
    ADD CONSTRAINT memory_item_subject CHECK ((subject IS NULL) = (subject_key IS NULL));
ALTER TABLE memory_item ALTER COLUMN state DROP DEFAULT, ALTER COLUMN confidence DROP DEFAULT;
CREATE INDEX memory_item_about ON memory_item (org_id, project_id, subject_key) WHERE subject_key IS NOT NULL;
CREATE TABLE item_source (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    item_id uuid NOT NULL,
    kind text NOT NULL,
    source_id uuid NOT NULL,
    start_at integer,
    end_at integer,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT item_source_item FOREIGN KEY (org_id, item_id) REFERENCES memory_item (org_id, id) ON DELETE CASCADE,
    CONSTRAINT item_source_kind CHECK (kind IN ('message', 'document', 'connection', 'file', 'person')),
    CONSTRAINT item_source_span CHECK ((start_at IS NULL) = (end_at IS NULL)),
    CONSTRAINT item_source_order CHECK (start_at >= 0 AND end_at >= start_at)
);
CREATE INDEX item_source_by_item ON item_source (org_id, item_id);
CREATE INDEX item_source_by_source ON item_source (org_id, kind, source_id);
CREATE TABLE memory_switch (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    scope text NOT NULL,
    project_id uuid NOT NULL,
    set_by uuid,
    created_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT memory_switch_project FOREIGN KEY (org_id, project_id) REFERENCES project (org_id, id) ON DELETE CASCADE,
    CONSTRAINT memory_switch_scope CHECK (scope IN ('project', 'thread')),
    CONSTRAINT memory_switch_own_project CHECK (scope <> 'project' OR id = project_id)
);
CREATE INDEX memory_switch_by_project ON memory_switch (org_id, project_id);
CREATE TABLE training_consent (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    data_class text NOT NULL,
    person uuid NOT NULL,
    given_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    withdrawn_by uuid,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT training_consent_class CHECK (
        data_class IN ('prompts', 'files', 'chat_history', 'knowledge', 'memory', 'integrations', 'outputs')
    ),
    CONSTRAINT training_consent_end CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
    CONSTRAINT training_consent_order CHECK (withdrawn_at >= given_at)
);
CREATE UNIQUE INDEX training_consent_standing ON training_consent (org_id, data_class) WHERE withdrawn_at IS NULL;
CREATE TABLE training_export (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    person uuid,
    at timestamptz NOT NULL,
    items integer NOT NULL,
    withheld integer NOT NULL,
    data_classes text[] NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT training_export_counts CHECK (items >= 0 AND withheld >= 0),
    CONSTRAINT training_export_classes CHECK (array_to_string(data_classes, ' ') ~ '^[a-z_ ]*$')
);
CREATE TABLE memory_entry (
    author uuid,
    via text NOT NULL,
    source_task uuid NOT NULL,
    integrity text NOT NULL,
    training text NOT NULL,
    readers uuid[],
    categories text[] NOT NULL,
    purposes text[] NOT NULL,
    sources text[] NOT NULL,
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    entry_key bytea NOT NULL,
    value bytea NOT NULL,
    generation integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT memory_entry_project FOREIGN KEY (org_id, project_id) REFERENCES project (org_id, id) ON DELETE CASCADE,
    CONSTRAINT memory_entry_one_of_each UNIQUE (org_id, project_id, entry_key),
    CONSTRAINT memory_entry_via CHECK (via IN ('person', 'agent', 'system')),
    CONSTRAINT memory_entry_integrity CHECK (integrity IN ('trusted', 'untrusted')),
    CONSTRAINT memory_entry_training CHECK (training IN ('denied', 'allowed')),
    CONSTRAINT memory_entry_categories CHECK (array_to_string(categories, ' ') ~ '^[a-z_. ]*$'),
    CONSTRAINT memory_entry_purposes CHECK (array_to_string(purposes, ' ') ~ '^[a-z_. ]*$'),
    CONSTRAINT memory_entry_sources
        CHECK (array_to_string(sources, ' ') ~ '^([a-z_]+:[A-Za-z0-9._/-]{1,80}( |$))*$')
);
"""

# Items of before know their sources from their labels alone, and what the agent kept came from a message. Row-level
# security is lifted for the one statement: no organisation is set here, so it would show no rows.
_SOURCES_OF_BEFORE = r"""
ALTER TABLE memory_item NO FORCE ROW LEVEL SECURITY;
INSERT INTO item_source (org_id, id, item_id, kind, source_id, decision_id)
    SELECT org_id, uuidv7(), id, split_part(source, ':', 1), split_part(source, ':', 2)::uuid, decision_id
      FROM memory_item, unnest(sources) AS source
     WHERE integrity = 'untrusted' AND source ~ '^(file|connection|document):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    UNION ALL
    SELECT org_id, uuidv7(), id, 'message', source_task, decision_id FROM memory_item WHERE via = 'agent'
    UNION ALL
    SELECT org_id, uuidv7(), id, 'person', author, decision_id FROM memory_item WHERE via = 'person' AND author IS NOT NULL;
ALTER TABLE memory_item FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    op.execute(_TABLES)
    op.execute(_SOURCES_OF_BEFORE)
    for table in ("item_source", "memory_switch", "memory_entry"):
        protect(table, grants="SELECT, INSERT, UPDATE, DELETE")
    # A consent is a record: it can be given and ended, nothing else.
    protect("training_consent", grants="SELECT, INSERT")
    op.execute("GRANT UPDATE (withdrawn_at, withdrawn_by, decision_id) ON training_consent TO joule_app")
    protect("training_export", grants="SELECT, INSERT")


def downgrade() -> None:
    for table in ("memory_entry", "training_export", "training_consent", "memory_switch", "item_source"):
        op.execute(f"DROP TABLE {table}")
    op.execute(
        "ALTER TABLE memory_item DROP COLUMN state, DROP COLUMN subject, DROP COLUMN subject_key,"
        " DROP COLUMN confidence, DROP COLUMN valid_from, DROP COLUMN valid_to, DROP COLUMN contradicts"
    )
