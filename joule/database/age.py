"""How old the schema is, and how old this program needs it to be.

Asked at every start of every process, so it does without the library that runs migrations: that alone weighs ten
megabytes in each of them.
"""

from pathlib import Path

from sqlalchemy import text

from joule.database.engine import Database
from joule.database.errors import SchemaOutOfDate

VERSIONS = Path(__file__).parent / "migrations" / "versions"

_CHOOSE = "Run `joule up` with the newer version of Joule, or install the version that made this database."


def head() -> str:
    """The schema's age this program was written for: versions are numbered in one line, and files by their version."""
    return max(each.name.partition("_")[0] for each in VERSIONS.glob("[0-9]*_*.py"))


async def check_schema(database: Database) -> None:
    """Raises `SchemaOutOfDate` unless the schema is exactly as old as this program. Run at every start."""
    async with database.unscoped() as session:
        known = (await session.execute(text("SELECT to_regclass('public.alembic_version') IS NOT NULL"))).scalar_one()
        found = None
        if known:
            found = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    if found != head():
        raise out_of_date(f"the schema is at version {found}, this program needs {head()}")


def out_of_date(problem: str) -> SchemaOutOfDate:
    """The schema and this program do not belong together."""
    return SchemaOutOfDate(problem, advice=_CHOOSE)
