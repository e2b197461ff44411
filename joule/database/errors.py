"""What can be wrong with the database."""

from joule.kernel.errors import Misconfigured, Unavailable


class DatabaseAway(Unavailable):
    """The server does not answer, or dropped the connection."""

    code = "database.away"

    def __init__(self) -> None:
        super().__init__("the database")


class SchemaOutOfDate(Misconfigured):
    """The database is older or newer than this program."""

    code = "database.schema_out_of_date"


class UnsafeRole(Misconfigured):
    """The application would log in as a role that row-level security does not bind."""

    code = "database.unsafe_role"
