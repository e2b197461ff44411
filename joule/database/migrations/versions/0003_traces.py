"""The journal: rows partitioned by retention class and time, append-only for the application."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0003"
down_revision = "0002"

# `at` of every row of a task lies at or after `started_at` of its chain, so a task is found in few partitions.
TABLES = """
CREATE TABLE trace_chain (
    org_id uuid NOT NULL,
    task_id uuid NOT NULL,
    retention text NOT NULL CHECK (retention IN ('1d', '7d', '30d', '90d', '1y', '7y')),
    key_subject text NOT NULL CHECK (key_subject ~ '^(task:[0-9a-f-]{36}|day:[0-9]{4}-[0-9]{2}-[0-9]{2})$'),
    started_at timestamptz NOT NULL,
    attempt integer NOT NULL,
    next_seq integer NOT NULL,
    head bytea NOT NULL CHECK (octet_length(head) = 32),
    PRIMARY KEY (org_id, task_id)
) WITH (fillfactor = 60);

CREATE TABLE trace_event (
    org_id uuid NOT NULL,
    task_id uuid NOT NULL,
    seq integer NOT NULL CHECK (seq >= 0),
    retention text NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    call text,
    action text,
    decision text,
    head bytea NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (org_id, task_id, seq, retention, at)
) PARTITION BY LIST (retention);
CREATE INDEX trace_event_by_time ON trace_event (org_id, at);

CREATE TABLE trace_content (
    org_id uuid NOT NULL,
    task_id uuid NOT NULL,
    seq integer NOT NULL,
    field text NOT NULL CHECK (field ~ '^[a-z]{1,16}$'),
    retention text NOT NULL,
    at timestamptz NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (org_id, task_id, seq, field, retention, at)
) PARTITION BY LIST (retention);
ALTER TABLE trace_content ALTER COLUMN sealed SET STORAGE EXTERNAL;
"""

# Nobody changes a row that was written, whoever they log in as: erasing content is a matter of keys and partitions.
IMMUTABLE = """
CREATE FUNCTION trace_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'insufficient_privilege'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trace_event
    FOR EACH ROW EXECUTE FUNCTION trace_is_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trace_content
    FOR EACH ROW EXECUTE FUNCTION trace_is_append_only();
"""

# One statement a flush. The update of the chain is the fence: a worker of an earlier attempt, or one whose rows no
# longer follow on, changes no row here, and its whole transaction (effects included) is rolled back. What stands beside
# a head for searching is taken from the head itself, so the two cannot disagree.
APPEND = """
CREATE FUNCTION journal_append(
    _org uuid, _task uuid, _attempt integer, _retention text, _subject text, _first integer,
    _head bytea[], _content_seq integer[], _field text[], _sealed bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _count integer := cardinality(_head);
    _last bytea := sha256('\\x00'::bytea || _head[_count]);
    _json jsonb[] := ARRAY(SELECT convert_from(h, 'UTF8')::jsonb FROM unnest(_head) WITH ORDINALITY AS u (h, n) ORDER BY n);
    _previous bytea := decode(repeat('00', 32), 'hex');
BEGIN
    PERFORM set_config('joule.org', _org::text, true);
    IF _first = 0 THEN
        INSERT INTO trace_chain (org_id, task_id, retention, key_subject, started_at, attempt, next_seq, head)
        VALUES (_org, _task, _retention, _subject, (_json[1]->>'ts')::timestamptz, _attempt, _count, _last)
        ON CONFLICT DO NOTHING;
    ELSE
        UPDATE trace_chain SET next_seq = _first + _count, head = _last
        WHERE org_id = _org AND task_id = _task AND attempt = _attempt AND next_seq = _first
        RETURNING OLD.head INTO _previous;
    END IF;
    IF NOT FOUND OR _json[1]->>'prev' <> encode(_previous, 'hex') THEN
        RAISE EXCEPTION 'fenced' USING ERRCODE = 'JL001';
    END IF;
    INSERT INTO trace_event (org_id, task_id, seq, retention, at, kind, call, action, decision, head, hash)
    SELECT _org, _task, _first + n - 1, _retention, (_json[n]->>'ts')::timestamptz, _json[n]->>'kind', _json[n]->>'call',
           _json[n]->'attrs'->>'action', _json[n]->'attrs'->>'decision', h, sha256('\\x00'::bytea || h)
    FROM unnest(_head) WITH ORDINALITY AS u (h, n);
    INSERT INTO trace_content (org_id, task_id, seq, field, retention, at, sealed)
    SELECT _org, _task, c.seq, c.field, _retention, (_json[c.seq - _first + 1]->>'ts')::timestamptz, c.sealed
    FROM unnest(_content_seq, _field, _sealed) AS c (seq, field, sealed);
END $$;
"""

# Partitions are made ahead by whoever runs the application, through this one door: it can only add, by fixed names.
PARTITIONS = """
CREATE FUNCTION trace_ensure_partitions(_retention text, _from timestamptz, _until timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _unit text := CASE WHEN _retention IN ('1d', '7d', '30d') THEN 'day' WHEN _retention = '90d' THEN 'week'
                       WHEN _retention IN ('1y', '7y') THEN 'month' END;
    _start timestamptz;
    _end timestamptz;
    _table text;
    _made integer := 0;
BEGIN
    IF _unit IS NULL OR _until - _from > interval '400 days' THEN
        RAISE EXCEPTION 'no such retention class, or too far ahead' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('trace_ensure_partitions'));
    FOREACH _table IN ARRAY ARRAY['trace_event', 'trace_content'] LOOP
        IF to_regclass(format('%I', _table || '_' || _retention)) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L) PARTITION BY RANGE (at)',
                           _table || '_' || _retention, _table, _retention);
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', _table || '_' || _retention);
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', _table || '_' || _retention);
        END IF;
        _start := date_trunc(_unit, _from, 'UTC');
        WHILE _start < _until LOOP
            _end := date_trunc(_unit, _start + ('1 ' || _unit)::interval + interval '12 hours', 'UTC');
            IF to_regclass(format('%I', _table || '_' || _retention || '_' || to_char(_start AT TIME ZONE 'UTC', 'YYYYMMDD'))) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    _table || '_' || _retention || '_' || to_char(_start AT TIME ZONE 'UTC', 'YYYYMMDD'),
                    _table || '_' || _retention, _start, _end);
                EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY',
                    _table || '_' || _retention || '_' || to_char(_start AT TIME ZONE 'UTC', 'YYYYMMDD'));
                EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY',
                    _table || '_' || _retention || '_' || to_char(_start AT TIME ZONE 'UTC', 'YYYYMMDD'));
                _made := _made + 1;
            END IF;
            _start := _end;
        END LOOP;
    END LOOP;
    RETURN _made;
END $$;
REVOKE ALL ON FUNCTION trace_ensure_partitions(text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trace_ensure_partitions(text, timestamptz, timestamptz) TO joule_app;
"""


def upgrade() -> None:
    op.execute(TABLES)
    protect("trace_chain", grants="SELECT, INSERT, UPDATE")
    protect("trace_event", grants="SELECT, INSERT")
    protect("trace_content", grants="SELECT, INSERT")
    op.execute(IMMUTABLE)
    op.execute(APPEND)
    op.execute("GRANT EXECUTE ON FUNCTION journal_append TO joule_app")
    op.execute(PARTITIONS)
    op.execute("SELECT trace_ensure_partitions('90d', now() - interval '1 day', now() + interval '21 days')")


def downgrade() -> None:
    op.execute("DROP TABLE trace_content, trace_event, trace_chain")
    op.execute("DROP FUNCTION journal_append, trace_ensure_partitions, trace_is_append_only")
