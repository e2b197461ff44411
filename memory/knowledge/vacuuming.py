"""Takes what was deleted off the server's pages, heap and indexes alike, instead of waiting until the server does.

A deleted row can still be read from the files under the database until then; its vector too.
"""

from joule.database.engine import Database

TABLES = ("chunk_vector", "chunk_words", "chunk", "document_version", "document")


async def vacuum(database: Database) -> None:
    """Vacuum the tables of the knowledge base, each in a transaction of its own. One that is busy is left out.

    Blocks nobody who reads or writes. Raises `DatabaseAway` as any statement does.
    """
    async with database.driver() as connection:
        await connection.execute("SET statement_timeout = 0")  # a large index takes its time
        try:
            for table in TABLES:
                await connection.execute(f"VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON) {table}".encode())
        finally:
            await connection.execute("RESET statement_timeout")
