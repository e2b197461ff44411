"""Organisation-scoped sessions over one pool of connections.

Every transaction names its organisation before anything else; row-level security does the rest. No organisation, no
rows. A `ReadSession` is a read-only transaction: the server itself refuses a write in it.
"""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NewType, cast

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from joule.database.errors import DatabaseAway, DatabaseBusy, DatabaseFull
from joule.database.signals import Signals
from joule.kernel.errors import Unavailable
from joule.kernel.ids import OrgId

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", AsyncSession)

Driver = psycopg.AsyncConnection[TupleRow]

_SCOPE = text("SELECT set_config('joule.org', :org, true)")

# Nothing waits for ever: a lock, a statement or a forgotten transaction ends in an error, not in a hung task.
_LIMITS = (
    "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=120s"
    " -c plan_cache_mode=force_custom_plan"
)
_BRIEF = "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=10s"
_FULL = {"53100"}
_BUSY = {"40001", "40P01", "55P03", "57014", "25P03"}  # serialisation, deadlock, lock and statement timeout, idle
_AWAY = {"57P01", "57P02", "57P03", "57P04", "57P05", "53300"}  # shutdown, crash, starting up, dropped, idle, crowded


class Database:
    """The application's way to its rows. Holds the pool of one process; `close` it when the process ends."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """`url` is a libpq address or connection string of the application role."""
        self.url = url
        self._signals = Signals(url)
        # Plans are never prepared behind our back: under row-level security a stale generic plan is slow or wrong.
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self._connect,
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=True,
            pool_timeout=10,
            hide_parameters=True,  # an error that quotes its parameters quotes content
        )
        # The same pool; every transaction begins READ ONLY, also one begun after a stray commit.
        self._reading: AsyncEngine = self._engine.execution_options(postgresql_readonly=True)

        # The journal's own connections: autocommit, one prepared statement each, nothing between it and the wire.
        self._drivers = AsyncConnectionPool[Driver](
            url,
            min_size=1,
            max_size=pool_size,
            open=False,
            timeout=5,
            kwargs={"autocommit": True, "connect_timeout": 5, "options": _BRIEF, "application_name": "joule journal"},
        )

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Driver]:
        """A bare autocommit connection that names no organisation, for statements that name it themselves.

        Raises as `write` does.
        """
        try:
            if self._drivers.closed:
                await self._drivers.open()
            async with self._drivers.connection() as connection:
                yield connection
        except psycopg.Error as problem:
            trouble = _trouble(problem)
            if trouble is None:
                raise
            raise trouble from problem

    async def _connect(self) -> Driver:
        return await psycopg.AsyncConnection.connect(
            self.url, prepare_threshold=None, connect_timeout=5, options=_LIMITS, application_name="joule"
        )

    @asynccontextmanager
    async def read(self, org: OrgId) -> AsyncIterator[ReadSession]:
        """A read-only transaction that sees the rows of `org` alone."""
        async with _session(self._reading) as session:
            await session.execute(_SCOPE, {"org": str(org)})
            yield ReadSession(session)
            await session.rollback()

    @asynccontextmanager
    async def write(self, org: OrgId) -> AsyncIterator[WriteSession]:
        """A transaction on the rows of `org`: committed on leaving, rolled back on any error.

        Raises `DatabaseAway`, `DatabaseFull` or `DatabaseBusy`; after each of them nothing of it was kept, except that
        a connection lost during the commit itself leaves that one commit unknown.
        """
        async with _session(self._engine) as session:
            await session.execute(_SCOPE, {"org": str(org)})
            yield WriteSession(session)
            await session.commit()

    @asynccontextmanager
    async def unscoped(self) -> AsyncIterator[AsyncSession]:
        """A transaction that names no organisation: sees only tables that have none (the queue, the schema's age)."""
        async with _session(self._engine) as session:
            yield session
            await session.commit()

    def listen(self, channel: str) -> AsyncIterator[str]:
        """What is `notify`-ed on `channel` from now on; see `Signals.listen` for the empty string."""
        return self._signals.listen(channel)

    async def close(self) -> None:
        """Ends the listeners and every idle connection."""
        await self._signals.close()
        await self._engine.dispose()
        await self._drivers.close()


async def driver_of(session: AsyncSession) -> Driver:
    """The psycopg connection under a session, for statements that must share its transaction."""
    connection: AsyncConnection = await session.connection()
    raw = await connection.get_raw_connection()
    return cast(Driver, cast(Any, raw.driver_connection))


def _notice_dead(connection: Any, *_: object) -> None:
    """Replaces an idle connection that the server has ended, without asking the server (that costs three round trips).

    An idle connection has nothing to read; something to read is the server's farewell.
    """
    driver: Driver = connection.driver_connection
    ready = select.poll()
    if not driver.closed:
        ready.register(driver.fileno(), select.POLLIN)
    if driver.closed or ready.poll(0):
        raise DisconnectionError


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            yield session
    except (psycopg.Error, DBAPIError, PoolTimeout) as problem:
        trouble = _trouble(problem)
        if trouble is None:
            raise
        raise trouble from problem


def _trouble(problem: Exception) -> Unavailable | None:
    """What of a driver's error concerns the server rather than the statement; None: the statement was wrong."""
    if isinstance(problem, PoolTimeout):
        return DatabaseBusy()
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate
    if state in _FULL:
        return DatabaseFull()
    if state in _BUSY:
        return DatabaseBusy()
    # Without a state the server never answered: the connection could not be made, or broke.
    lost = state is None and isinstance(cause, psycopg.OperationalError)
    if lost or state in _AWAY or (state or "").startswith("08"):
        return DatabaseAway()
    return None
