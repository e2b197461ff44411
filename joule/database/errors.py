"""What can be wrong with the database."""

from joule.kernel.errors import Misconfigured, Unavailable


class DatabaseAway(Unavailable):
    """The server does not answer, or dropped the connection. Nothing of the open transaction was kept."""

    code = "database.away"

    def __init__(self) -> None:
        super().__init__("the database")


class DatabaseFull(Unavailable):
    """The server has no room left to write. Nothing of the open transaction was kept."""

    code = "database.full"

    def __init__(self) -> None:
        super().__init__("room on the database's disk")

    def advice(self) -> str:
        return "Nothing was done. An operator should free space on the database's disk; then try again."


class DatabaseBusy(Unavailable):
    """Others held the rows, or every connection, for too long. Nothing of the open transaction was kept."""

    code = "database.busy"

    def __init__(self) -> None:
        super().__init__("a turn at the database")

    def advice(self) -> str:
        return "Nothing was done. Try again in a moment."


class SchemaOutOfDate(Misconfigured):
    """The database is older or newer than this program."""

    code = "database.schema_out_of_date"


class UnsafeRole(Misconfigured):
    """The application would log in as a role that row-level security does not bind."""

    code = "database.unsafe_role"


class VectorsMissing(Misconfigured):
    """The database lacks pgvector, and the owner of the schema may not add it."""

    code = "database.vectors_missing"

    def __init__(self) -> None:
        super().__init__(
            "the database has no pgvector extension",
            advice="Have a superuser run CREATE EXTENSION vector; in the database (pgvector 0.8 or newer).",
        )


class ServerTrouble(Misconfigured):
    """The embedded server cannot be made or started here."""

    code = "database.server_trouble"


class ServerOwned(Misconfigured):
    """Another process on this machine is already the parent of the embedded server."""

    code = "database.server_owned"

    def __init__(self) -> None:
        super().__init__(
            "the embedded database of this home folder already belongs to a running `joule up`",
            advice="Stop the other `joule up`, or give this one its own JOULE_HOME.",
        )


class OpenWall(Misconfigured):
    """A table that holds rows of organisations does not keep them apart."""

    code = "database.open_wall"
