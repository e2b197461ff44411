"""Organisation-scoped sessions over one pool of connections.

Every transaction names its organisation before anything else; row-level security does the rest. No organisation, no
rows. A `ReadSession` is a read-only transaction: the server itself refuses a write in it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NewType, cast

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from joule.database.errors import DatabaseAway
from joule.kernel.ids import OrgId

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", AsyncSession)

Driver = psycopg.AsyncConnection[TupleRow]

_SCOPE = text("SELECT set_config('joule.org', :org, true)")
_READ_ONLY = text("SET TRANSACTION READ ONLY")


class Database:
    """The application's way to its rows. Holds the pool of one process; `close` it when the process ends."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """`url` is a libpq address or connection string of the application role."""
        self.url = url
        # Plans are never prepared behind our back: under row-level security a stale generic plan is slow or wrong.
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self._connect,
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=True,
            pool_timeout=10,
        )

    async def _connect(self) -> Driver:
        return await psycopg.AsyncConnection.connect(self.url, prepare_threshold=None, connect_timeout=5)

    @asynccontextmanager
    async def read(self, org: OrgId) -> AsyncIterator[ReadSession]:
        """A read-only transaction that sees the rows of `org` alone."""
        async with self._session() as session:
            await session.execute(_READ_ONLY)
            await session.execute(_SCOPE, {"org": str(org)})
            yield ReadSession(session)
            await session.rollback()

    @asynccontextmanager
    async def write(self, org: OrgId) -> AsyncIterator[WriteSession]:
        """A transaction on the rows of `org`: committed on leaving, rolled back on any error."""
        async with self._session() as session:
            await session.execute(_SCOPE, {"org": str(org)})
            yield WriteSession(session)
            await session.commit()

    @asynccontextmanager
    async def unscoped(self) -> AsyncIterator[AsyncSession]:
        """A transaction that names no organisation: sees only tables that have none (the queue, the schema's age)."""
        async with self._session() as session:
            yield session
            await session.commit()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            try:
                yield session
            except (OSError, psycopg.OperationalError) as problem:
                raise DatabaseAway() from problem

    async def close(self) -> None:
        await self._engine.dispose()


async def driver_of(session: AsyncSession) -> Driver:
    """The psycopg connection under a session, for statements that must share its transaction."""
    connection: AsyncConnection = await session.connection()
    raw = await connection.get_raw_connection()
    return cast(Driver, cast(Any, raw.driver_connection))
