"""Takes what was deleted out of heap and indexes, instead of waiting until the server does.

Until then a deleted row can be read from the files under the database, and its vector from the approximate index. Then
empty pages are given back and vectors in the index are overwritten; in the free space of a page that is still in use
bytes may stand until it is used again, sealed ones but for vectors.
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
