"""Signed heads over the journal: seals as leaves, heads, the keys that sign, and who is sent the heads."""

from alembic import op

from joule.database.migrations.tenancy import protect

revision = "0014"
down_revision = "0013"

# A seal says how far a task's chain had come; the seals of one class and day, in order, are the leaves of one tree.
# A head holds the right edge of its tree, so that the next one costs as much as its new leaves.
_TABLES = """
CREATE TABLE trace_seal (
    org_id uuid NOT NULL,
    retention text NOT NULL,
    day date NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    task_id uuid NOT NULL,
    rows integer NOT NULL CHECK (rows > 0),
    head bytea NOT NULL CHECK (octet_length(head) = 32),
    at timestamptz NOT NULL,
    PRIMARY KEY (org_id, retention, day, position),
    CONSTRAINT trace_seal_retention CHECK (retention IN ('1d', '7d', '30d', '90d', '1y', '7y', 'hold'))
);
CREATE UNIQUE INDEX trace_seal_once ON trace_seal (org_id, task_id, rows);

CREATE TABLE trace_head (
    org_id uuid NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    retention text NOT NULL,
    day date NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    edge bytea NOT NULL,
    at timestamptz NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (org_id, number),
    CONSTRAINT trace_head_retention CHECK (retention IN ('1d', '7d', '30d', '90d', '1y', '7y', 'hold'))
);
CREATE UNIQUE INDEX trace_head_once ON trace_head (org_id, retention, day, size);

CREATE TABLE trace_signing_key (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    ordinal integer NOT NULL CHECK (ordinal > 0),
    public bytea NOT NULL CHECK (octet_length(public) = 32),
    private bytea,
    statement text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id),
    CONSTRAINT trace_signing_key_one_of_each_ordinal UNIQUE (org_id, ordinal)
);

CREATE TABLE trace_delivery (
    org_id uuid NOT NULL,
    sink text NOT NULL,
    address bytea,
    cursor bigint NOT NULL,
    tried_at timestamptz,
    delivered_at timestamptz,
    next_at timestamptz,
    failures integer NOT NULL,
    problem text,
    decision_id uuid NOT NULL,
    PRIMARY KEY (org_id, sink),
    CONSTRAINT trace_delivery_sink CHECK (sink IN ('webhook', 'bucket')),
    CONSTRAINT trace_delivery_address CHECK ((sink = 'webhook') = (address IS NOT NULL)),
    CONSTRAINT trace_delivery_problem CHECK (problem ~ '^[a-z][a-z_.]{0,60}$')
);
"""

_IMMUTABLE = """
CREATE TRIGGER append_only BEFORE UPDATE ON trace_seal FOR EACH ROW EXECUTE FUNCTION trace_is_append_only();
CREATE TRIGGER append_only BEFORE UPDATE ON trace_head FOR EACH ROW EXECUTE FUNCTION trace_is_append_only();
"""

# Seals go after the last chain of their tree, through this one door: a tree is whole for as long as a record needs it, such
# as one on hold. Of a tree that is past its time its last head stays.
_FORGET = """
CREATE FUNCTION trace_forget_seals(_retention text, _before date, _many integer)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _gone integer;
    _days integer := CASE _retention WHEN '1d' THEN 1 WHEN '7d' THEN 7 WHEN '30d' THEN 30 WHEN '90d' THEN 90
                                     WHEN '1y' THEN 366 WHEN '7y' THEN 2557 END;
BEGIN
    IF _days IS NULL OR _before > (now() AT TIME ZONE 'UTC')::date - _days THEN
        RAISE EXCEPTION 'these seals are not past their time' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM trace_seal WHERE ctid = ANY (ARRAY(
        SELECT s.ctid FROM trace_seal s WHERE s.retention IN (_retention, 'hold') AND s.day < _before
           AND NOT EXISTS (SELECT FROM trace_seal o JOIN trace_chain c ON c.org_id = o.org_id AND c.task_id = o.task_id
                WHERE o.org_id = s.org_id AND o.retention = s.retention AND o.day = s.day)
         LIMIT _many));
    GET DIAGNOSTICS _gone = ROW_COUNT;
    DELETE FROM trace_head h WHERE retention = _retention AND day < _before
       AND NOT EXISTS (SELECT FROM trace_seal s
            WHERE s.org_id = h.org_id AND s.retention = h.retention AND s.day = h.day)
       AND EXISTS (SELECT FROM trace_head later WHERE later.org_id = h.org_id AND later.retention = h.retention
            AND later.day = h.day AND later.size > h.size);
    RETURN _gone;
END $$;
REVOKE ALL ON FUNCTION trace_forget_seals(text, date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trace_forget_seals(text, date, integer) TO joule_app;
"""

_ORDER = ("trace_seal", "trace_head", "trace_signing_key", "trace_delivery")


def upgrade() -> None:
    op.execute(_TABLES)
    protect("trace_seal", grants="SELECT, INSERT")
    protect("trace_head", grants="SELECT, INSERT")
    protect("trace_signing_key", grants="SELECT, INSERT, UPDATE")
    protect("trace_delivery", grants="SELECT, INSERT, UPDATE, DELETE")
    op.execute(_IMMUTABLE)
    op.execute(_FORGET)


def downgrade() -> None:
    op.execute("DROP FUNCTION trace_forget_seals")
    for table in reversed(_ORDER):
        op.execute(f"DROP TABLE {table}")
