"""Lets one process of a cluster do something at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from joule.database.engine import Database


@asynccontextmanager
async def alone(database: Database, lock: int) -> AsyncIterator[bool]:
    """Whether nobody else holds `lock`. Held by a connection, so it ends with the process whatever happens."""
    async with database.driver() as connection:
        row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [lock])).fetchone()
        if row is None or not row[0]:
            yield False
            return
        try:
            yield True
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", [lock])
