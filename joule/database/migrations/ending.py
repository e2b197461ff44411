"""The doors the journal ends through, as migration 0015 makes them: each takes what is over and nothing else.

The application owns no table and may delete no row of the journal. These functions run as the schema's owner, judge by the
server's own clock and by the holds there are, and are all the application may ask for.
"""

# What is on hold past its class is kept in partitions of its organisation's own, which end when the last hold is lifted.
HELD = """
CREATE TABLE trace_event_hold PARTITION OF trace_event FOR VALUES IN ('hold') PARTITION BY LIST (org_id);
CREATE TABLE trace_content_hold PARTITION OF trace_content FOR VALUES IN ('hold') PARTITION BY LIST (org_id);
ALTER TABLE trace_event_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE trace_event_hold FORCE ROW LEVEL SECURITY;
ALTER TABLE trace_content_hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE trace_content_hold FORCE ROW LEVEL SECURITY;

-- Whose chains the sweep may see and take away: those of every organisation, but through the doors below alone.
CREATE POLICY sweep_reads ON trace_chain FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY sweep_deletes ON trace_chain FOR DELETE TO CURRENT_USER USING (true);
CREATE POLICY sweep_reads ON legal_hold FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY sweep_reads ON trace_erasure FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY sweep_deletes ON trace_erasure FOR DELETE TO CURRENT_USER USING (true);

CREATE FUNCTION trace_unit(_retention text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN _retention IN ('1d', '7d', '30d') THEN 'day' WHEN _retention = '90d' THEN 'week'
                WHEN _retention IN ('1y', '7y') THEN 'month' END;

-- Everything that began before this is past its class, by the clock of the server and nobody else's.
CREATE FUNCTION trace_horizon(_retention text) RETURNS timestamptz LANGUAGE sql STABLE
    RETURN date_trunc(trace_unit(_retention), now() - make_interval(days => CASE _retention
        WHEN '1d' THEN 1 WHEN '7d' THEN 7 WHEN '30d' THEN 30 WHEN '90d' THEN 90 WHEN '1y' THEN 366 WHEN '7y' THEN 2557
    END), 'UTC');

-- Needs `joule.org` set to _org: the author of a task is its organisation's to know.
CREATE FUNCTION trace_is_held(_org uuid, _task uuid, _subject text) RETURNS boolean LANGUAGE sql STABLE
    RETURN EXISTS (SELECT FROM legal_hold h WHERE h.org_id = _org AND h.lifted_at IS NULL AND (
        h.scope = 'organisation'
        OR h.scope = 'task' AND h.subject_id = _task
        OR h.scope = 'person' AND (_subject LIKE '%/person:' || h.subject_id::text
            OR EXISTS (SELECT FROM task t WHERE t.org_id = _org AND t.id = _task AND t.author = h.subject_id))));

CREATE FUNCTION trace_keep_held(_retention text)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _before text := coalesce(current_setting('joule.org', true), '');
    _horizon timestamptz := trace_horizon(_retention);
    _org uuid;
    _chain record;
    _table text;
    _kept integer := 0;
BEGIN
    FOR _org IN SELECT DISTINCT org_id FROM legal_hold WHERE lifted_at IS NULL LOOP
        PERFORM set_config('joule.org', _org::text, true);
        FOREACH _table IN ARRAY ARRAY['trace_event', 'trace_content'] LOOP
            IF to_regclass(format('%I', _table || '_hold_' || replace(_org::text, '-', ''))) IS NULL
               AND EXISTS (SELECT FROM trace_chain WHERE org_id = _org AND retention = _retention
                              AND started_at < _horizon AND trace_is_held(org_id, task_id, key_subject)) THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L)',
                               _table || '_hold_' || replace(_org::text, '-', ''), _table || '_hold', _org);
                EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', _table || '_hold_' || replace(_org::text, '-', ''));
                EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', _table || '_hold_' || replace(_org::text, '-', ''));
            END IF;
        END LOOP;
        FOR _chain IN SELECT task_id FROM trace_chain WHERE org_id = _org AND retention = _retention
                         AND started_at < _horizon AND trace_is_held(org_id, task_id, key_subject) LOOP
            INSERT INTO trace_event (org_id, task_id, seq, retention, at, kind, call, action, decision, head, hash)
            SELECT org_id, task_id, seq, 'hold', at, kind, call, action, decision, head, hash FROM trace_event
             WHERE org_id = _org AND task_id = _chain.task_id AND retention = _retention;
            INSERT INTO trace_content (org_id, task_id, seq, field, retention, at, sealed)
            SELECT org_id, task_id, seq, field, 'hold', at, sealed FROM trace_content
             WHERE org_id = _org AND task_id = _chain.task_id AND retention = _retention;
            UPDATE trace_chain SET retention = 'hold' WHERE org_id = _org AND task_id = _chain.task_id;
            _kept := _kept + 1;
        END LOOP;
    END LOOP;
    PERFORM set_config('joule.org', _before, true);
    RETURN _kept;
END $$;

CREATE FUNCTION trace_release_held(_org uuid)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '400ms' AS $$
DECLARE
    _before text := coalesce(current_setting('joule.org', true), '');
    _table text;
BEGIN
    PERFORM set_config('joule.org', _org::text, true);
    IF EXISTS (SELECT FROM legal_hold WHERE org_id = _org AND lifted_at IS NULL)
       OR to_regclass(format('%I', 'trace_event_hold_' || replace(_org::text, '-', ''))) IS NULL THEN
        PERFORM set_config('joule.org', _before, true);
        RETURN false;
    END IF;
    DELETE FROM trace_chain WHERE org_id = _org AND retention = 'hold';
    FOREACH _table IN ARRAY ARRAY['trace_event', 'trace_content'] LOOP
        EXECUTE format('DROP TABLE %I', _table || '_hold_' || replace(_org::text, '-', ''));
    END LOOP;
    PERFORM set_config('joule.org', _before, true);
    RETURN true;
END $$;
"""

# A chain goes before its rows do, so that none is ever found without them; what is on hold was moved before that.
FORGET = """
CREATE FUNCTION trace_forget_chains(_retention text, _many integer)
RETURNS TABLE (org uuid, chains integer) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    _before text := coalesce(current_setting('joule.org', true), '');
    _horizon timestamptz := trace_horizon(_retention);
    _held uuid;
    _task uuid[];
BEGIN
    IF _horizon IS NULL OR _many NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'no such retention class, or too many at once' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR _held IN SELECT DISTINCT h.org_id FROM legal_hold h WHERE h.lifted_at IS NULL LOOP
        PERFORM set_config('joule.org', _held::text, true);
        WITH gone AS (
            DELETE FROM trace_chain c WHERE c.org_id = _held AND c.task_id = ANY (ARRAY(
                SELECT d.task_id FROM trace_chain d WHERE d.org_id = _held AND d.retention = _retention
                   AND d.started_at < _horizon AND NOT trace_is_held(d.org_id, d.task_id, d.key_subject) LIMIT _many))
            RETURNING c.task_id)
        SELECT array_agg(task_id) INTO _task FROM gone;
        IF _task IS NOT NULL THEN
            DELETE FROM trace_erasure e WHERE e.org_id = _held AND e.subject = ANY (
                ARRAY(SELECT 'task:' || t::text FROM unnest(_task) AS t));
            org := _held; chains := cardinality(_task);
            RETURN NEXT;
        END IF;
    END LOOP;
    PERFORM set_config('joule.org', _before, true);
    RETURN QUERY
        WITH gone AS (
            DELETE FROM trace_chain c WHERE c.ctid = ANY (ARRAY(
                SELECT d.ctid FROM trace_chain d WHERE d.retention = _retention AND d.started_at < _horizon
                   AND NOT EXISTS (SELECT FROM legal_hold h WHERE h.org_id = d.org_id AND h.lifted_at IS NULL)
                 LIMIT _many))
            RETURNING c.org_id, c.task_id
        ), notices AS (
            DELETE FROM trace_erasure e USING gone g WHERE e.org_id = g.org_id AND e.subject = 'task:' || g.task_id::text
        )
        SELECT g.org_id, count(*)::integer FROM gone g GROUP BY g.org_id;
END $$;

CREATE FUNCTION trace_drop_expired(_retention text)
RETURNS date LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '400ms' AS $$
DECLARE
    _horizon timestamptz := trace_horizon(_retention);
    _name text;
    _start date;
    _table text;
BEGIN
    IF _horizon IS NULL THEN
        RAISE EXCEPTION 'no such retention class' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT right(c.relname, 8) INTO _name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent IN (to_regclass(format('%I', 'trace_event_' || _retention)),
                           to_regclass(format('%I', 'trace_content_' || _retention)))
     ORDER BY 1 LIMIT 1;
    _start := to_date(_name, 'YYYYMMDD');
    -- The granule ends where the next begins; while a chain that began in it is there, it stays.
    IF _name IS NULL OR date_trunc(trace_unit(_retention), _start::timestamp AT TIME ZONE 'UTC'
            + ('1 ' || trace_unit(_retention))::interval + interval '12 hours', 'UTC') > _horizon
       OR EXISTS (SELECT FROM trace_chain WHERE retention = _retention AND started_at < date_trunc(trace_unit(_retention),
            _start::timestamp AT TIME ZONE 'UTC' + ('1 ' || trace_unit(_retention))::interval + interval '12 hours', 'UTC')) THEN
        RETURN NULL;
    END IF;
    FOREACH _table IN ARRAY ARRAY['trace_event', 'trace_content'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', _table || '_' || _retention || '_' || _name);
    END LOOP;
    -- No chain that any of these speaks of can be left.
    DELETE FROM trace_erasure WHERE at < now() - interval '2600 days';
    RETURN _start;
END $$;
"""

# Takes every row of an organisation whose keys are destroyed; of any other it takes none. What stays is what proves it:
# tombstones of keys, the journal's heads until their class ends, receipts.
ERASE = """
CREATE FUNCTION organisation_erase(_org uuid)
RETURNS TABLE (relation text, rows bigint) LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    _before text := coalesce(current_setting('joule.org', true), '');
    _left text[];
    _next text[];
    _round integer := 0;
BEGIN
    PERFORM set_config('joule.org', _org::text, true);
    IF NOT EXISTS (SELECT FROM data_key WHERE org_id = _org AND subject = '' AND state = 'shredded')
       OR EXISTS (SELECT FROM data_key WHERE org_id = _org AND state <> 'shredded')
       OR EXISTS (SELECT FROM legal_hold WHERE org_id = _org AND lifted_at IS NULL) THEN
        RAISE EXCEPTION 'the keys of this organisation are not destroyed, or it is on hold'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT array_agg(c.relname::text ORDER BY c.relname) INTO _left
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname NOT IN ('data_key', 'trace_chain', 'trace_event', 'trace_content', 'trace_seal', 'trace_head',
                             'trace_signing_key', 'trace_erasure', 'erasure_receipt');
    FOREACH relation IN ARRAY _left LOOP  -- counted first: what one takes along would be missing from another's count
        EXECUTE format('SELECT count(*) FROM %I WHERE org_id = $1', relation) INTO rows USING _org;
        IF rows > 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    WHILE cardinality(_left) > 0 AND _round < 10 LOOP
        _next := ARRAY[]::text[];
        FOREACH relation IN ARRAY _left LOOP
            BEGIN
                EXECUTE format('DELETE FROM %I WHERE org_id = $1', relation) USING _org;
            EXCEPTION WHEN foreign_key_violation THEN
                _next := _next || relation;
            END;
        END LOOP;
        _left := _next;
        _round := _round + 1;
    END LOOP;
    IF cardinality(_left) > 0 THEN
        RAISE EXCEPTION 'rows of % are left', _left USING ERRCODE = 'foreign_key_violation';
    END IF;
    PERFORM set_config('joule.org', _before, true);
END $$;
"""
