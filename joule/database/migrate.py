"""Brings a database's schema to the age of this program, from the installed package.

All pending versions run in one transaction under one advisory lock: two migrators never race, and a failure leaves the
schema as it was. Runs as the owner of the schema; blocking.
"""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from joule.database.address import check_address
from joule.database.age import out_of_date
from joule.database.errors import DatabaseAway, DatabaseBusy, UnsafeRole, VectorsMissing

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x6A6F756C65  # "joule"
_TURN = "120s"  # how long another migrator may take before we give up
_TABLE_LOCK = "5s"  # a busy table is given back rather than queued on, or all its readers would queue behind us
_STATEMENT = "600s"

_ROLES = """
    SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user),
           EXISTS (SELECT FROM pg_roles WHERE rolname = 'joule_app')
"""


def current(owner_url: str) -> str | None:
    """The schema's age in the database, None when nothing was ever migrated."""
    with _engine(owner_url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(owner_url: str, *, to: str = "head") -> None:
    """Runs every version up to `to`. Waits while another migrator is at it.

    Raises `SchemaOutOfDate` when the database is newer than this program, `UnsafeRole` when the roles are not what they
    must be, `VectorsMissing` without pgvector, `DatabaseBusy` when tables stay locked.
    """
    try:
        with _engine(owner_url).begin() as connection:
            _take_turn(connection)
            _refuse_roles(connection)
            _refuse_newer(MigrationContext.configure(connection).get_current_revision())
            _have_vectors(connection)
            config = Config()
            config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except DBAPIError as problem:
        if isinstance(problem.orig, psycopg.errors.LockNotAvailable):
            raise DatabaseBusy() from problem
        raise


def _engine(owner_url: str) -> Engine:
    check_address(owner_url)
    return create_engine("postgresql+psycopg://", creator=lambda: _connect(owner_url), poolclass=NullPool)


def _connect(owner_url: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        return psycopg.connect(owner_url, connect_timeout=10, application_name="joule migrate")
    except psycopg.OperationalError as problem:
        raise DatabaseAway() from problem


def _take_turn(connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{_TURN}'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{_TABLE_LOCK}'"))
    connection.execute(text(f"SET LOCAL statement_timeout = '{_STATEMENT}'"))


def _refuse_roles(connection: Connection) -> None:
    unbound, known = connection.execute(text(_ROLES)).one()
    if unbound:
        raise UnsafeRole(
            "the schema would belong to a role that row-level security does not bind",
            advice="Let JOULE_DATABASE_OWNER_URL log in as a role of its own: NOSUPERUSER NOBYPASSRLS, owner of the "
            "database.",
        )
    if not known:
        raise UnsafeRole(
            "the role joule_app, which the schema is opened to, does not exist",
            advice="Have the operator run: CREATE ROLE joule_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD …",
        )


def _have_vectors(connection: Connection) -> None:
    if connection.execute(text("SELECT FROM pg_extension WHERE extname = 'vector'")).first() is not None:
        return
    try:
        connection.execute(text("CREATE EXTENSION vector"))
    except DBAPIError as problem:
        raise VectorsMissing() from problem


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()}
    if found is not None and found not in known:
        raise out_of_date(f"the schema is at version {found}, which this program does not know")
