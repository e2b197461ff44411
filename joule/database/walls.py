"""Looks whether the walls between organisations stand: the application's role, and every table of the catalogue.

Both are asked at every start, for a wall that was there when the schema was made may have been taken down since.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database
from joule.database.errors import OpenWall, UnsafeRole

# Superuser and BYPASSRLS count for every role we could become: SET ROLE is one statement away. An owner may take the
# wall down, and a maker of roles may make one that is not bound.
_POWERS = text(
    """
    SELECT
      (SELECT bool_or(rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication
                      OR rolname ~ '^pg_(read|write)_(all_data|server_files)$'
                      OR rolname IN ('pg_execute_server_program', 'pg_maintain')) FROM pg_roles
        WHERE pg_has_role(session_user, oid, 'MEMBER')),
      (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
          AND c.relpersistence <> 't' AND pg_has_role(session_user, c.relowner, 'MEMBER')),
      (SELECT pg_has_role(session_user, datdba, 'MEMBER') FROM pg_database WHERE datname = current_database()),
      has_schema_privilege('public', 'CREATE')
    """
)

_PREDICATE = "(org_id = (NULLIF(current_setting(''joule.org''::text, true), ''''::text))::uuid)"

# Policies that let a session read (never write) a row of another organisation: table, name and exact condition.
_DOORS = (
    # Upkeep counts the organisations; their names are sealed under keys it does not have.
    "organisation: directory: ((NULLIF(current_setting('joule.org'::text, true), ''::text))::uuid"
    " = '00000000-0000-0000-0000-000000000000'::uuid)",
    # Whoever signs in by e-mail has not said where they belong: the keyed hash of the address finds its own row.
    "person_address: by_address: (address_key = decode(NULLIF(current_setting('joule.address_key'::text, true),"
    " ''::text), 'hex'::text))",
)

_HOLES = text(
    f"""
    WITH tenant AS (
      SELECT c.oid, c.oid::regclass::text AS relname, c.relispartition, c.relrowsecurity AND c.relforcerowsecurity AS forced,
             (SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id') AS org,
             c.relowner
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema$)'
         AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id')
    ), policy AS (
      SELECT p.polrelid, p.polname, pg_get_expr(p.polqual, p.polrelid) AS uses,
             pg_get_expr(p.polwithcheck, p.polrelid) AS checks,
             p.polcmd, p.polname = 'tenant' AND p.polcmd = '*' AND p.polpermissive AS general,
             p.polpermissive AND EXISTS (
               SELECT FROM unnest(p.polroles) AS r(role)
                WHERE r.role = 0 OR pg_has_role('joule_app', r.role, 'MEMBER')) AS ours
        FROM pg_policy p
    )
    SELECT relname || ': row-level security is not forced' FROM tenant WHERE NOT relispartition AND NOT forced
    UNION ALL
    SELECT relname || ': has no policy by organisation' FROM tenant t WHERE NOT relispartition AND NOT EXISTS (
      SELECT FROM policy p WHERE p.polrelid = t.oid AND p.general AND p.uses = '{_PREDICATE}'
         AND coalesce(p.checks, p.uses) = '{_PREDICATE}')
    UNION ALL
    SELECT t.relname || ': the policy ' || p.polname || ' opens it wider' FROM tenant t JOIN policy p
        ON p.polrelid = t.oid AND p.ours
     WHERE (p.uses IS DISTINCT FROM '{_PREDICATE}' OR coalesce(p.checks, p.uses) IS DISTINCT FROM '{_PREDICATE}')
       AND NOT (p.polcmd = 'r' AND t.relname || ': ' || p.polname || ': ' || p.uses = ANY (:doors))
    UNION ALL
    SELECT relname || ': org_id does not lead the primary key' FROM tenant t WHERE NOT relispartition AND NOT EXISTS (
      SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'p' AND k.conkey[1] = t.org)
    UNION ALL
    SELECT relname || ': org_id may be missing' FROM tenant t JOIN pg_attribute a ON a.attrelid = t.oid
       AND a.attnum = t.org WHERE NOT a.attnotnull
    UNION ALL
    SELECT relname || ': a partition is open beside its parent' FROM tenant WHERE relispartition AND NOT forced
       AND (has_table_privilege('joule_app', oid, 'SELECT') OR has_table_privilege('joule_app', oid, 'INSERT')
         OR has_table_privilege('joule_app', oid, 'UPDATE') OR has_table_privilege('joule_app', oid, 'DELETE'))
    UNION ALL
    SELECT relname || ': the application may empty or change it past the policy' FROM tenant
     WHERE has_table_privilege('joule_app', oid, 'TRUNCATE') OR has_table_privilege('joule_app', oid, 'TRIGGER')
        OR has_table_privilege('joule_app', oid, 'REFERENCES')
    UNION ALL
    SELECT relname || ': a view reads past the policy' FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
     WHERE n.nspname !~ '^(pg_|information_schema$)' AND (v.relkind = 'm' OR (v.relkind = 'v'
       AND NOT coalesce('security_invoker=true' = ANY (v.reloptions), false)))
       AND has_table_privilege('joule_app', v.oid, 'SELECT')
    ORDER BY 1
    """
)


async def check_role(database: Database) -> None:
    """Raises `UnsafeRole` when the login could see past row-level security, or take it down."""
    async with database.unscoped() as session:
        powerful, owned, owns_database, may_create = (await session.execute(_POWERS)).one()
    if powerful or owned or owns_database or may_create:
        raise UnsafeRole(
            "the application's database role is not bound by row-level security",
            advice="Let JOULE_DATABASE_URL log in as joule_app: NOSUPERUSER NOBYPASSRLS NOCREATEROLE, owner of nothing "
            "and member of no role that owns; migrations use JOULE_DATABASE_OWNER_URL.",
        )


async def check_walls(database: Database) -> None:
    """Raises `OpenWall` when a table with an `org_id` is open to other organisations."""
    async with database.unscoped() as session:
        found = await holes(session)
    if found:
        raise OpenWall(
            f"{len(found)} tables do not keep organisations apart: {'; '.join(found)}",
            advice="Somebody changed the schema by hand. Restore the policies, or restore the database from a backup.",
        )


async def holes(session: AsyncSession) -> tuple[str, ...]:
    """Each way in which a table of the catalogue fails to keep organisations apart, in words; empty when all is well."""
    return tuple((await session.execute(_HOLES, {"doors": list(_DOORS)})).scalars())
