"""Makes the two roles and the database in a fresh embedded server. The only code that logs in as superuser."""

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from joule.database._cluster import APPLICATION, OWNER

_POWERLESS = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION"


def bootstrap(superuser_url: str, database: str) -> None:
    """Brings roles and database to what they must be. Safe to repeat: it runs at every start."""
    with psycopg.connect(superuser_url, autocommit=True, connect_timeout=10) as server:
        for role in (OWNER, APPLICATION):
            known = server.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            verb = "CREATE" if known is None else "ALTER"
            server.execute(sql.SQL(f"{verb} ROLE {{}} {_POWERLESS}").format(sql.Identifier(role)))
        name = sql.Identifier(database)
        if server.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            server.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
        for closed in (database, "postgres", "template1"):
            server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(closed)))
        server.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(APPLICATION)))
    extend(make_conninfo(superuser_url, dbname=database))


def extend(superuser_url: str) -> None:
    """Gives one database what only a superuser may: pgvector."""
    with psycopg.connect(superuser_url, autocommit=True, connect_timeout=10) as server:
        server.execute("CREATE EXTENSION IF NOT EXISTS vector")
