"""The wall between organisations, put up the same way round every table.

A table with an `org_id` is `protect`ed in the migration that makes it; one without is `share`d, and must stand on the
list of reasons in `tests/database/test_walls.py`. A table that is neither is closed to the application.
"""

import re

from alembic import op

# An unset organisation and an empty one both compare as NULL: no rows, and no write.
TENANT = "org_id = NULLIF(current_setting('joule.org', true), '')::uuid"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_GRANTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})


def protect(table: str, *, grants: str) -> None:
    """Forces row-level security on `table` by its `org_id`, for its owner too, and grants `grants` to the application.

    Partitions are reached through their parent alone: the application is granted nothing on them.
    """
    name = _checked(table)
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {name} USING ({TENANT}) WITH CHECK ({TENANT})")
    share(table, grants=grants)


def share(table: str, *, grants: str) -> None:
    """Grants `grants` on a table that belongs to no organisation."""
    op.execute(f"REVOKE ALL ON {_checked(table)} FROM PUBLIC")
    op.execute(f"GRANT {_checked_grants(grants)} ON {table} TO joule_app")


def _checked(table: str) -> str:
    if not _NAME.fullmatch(table):
        raise ValueError(f"not a table's name: {table!r}")
    return table


def _checked_grants(grants: str) -> str:
    words = [word.strip() for word in grants.split(",")]
    if not set(words) <= _GRANTS:
        raise ValueError(f"the application is never granted {grants!r}")
    return ", ".join(words)
