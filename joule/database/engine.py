"""Organisation-scoped sessions over one pool of connections.

Every transaction names its organisation in the message that begins it, which goes out with the first statement;
row-level security does the rest. No organisation, no rows. A `ReadSession` is a read-only transaction: the server
itself refuses a write in it.
"""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NewType, cast
from uuid import UUID

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from joule.database.address import check_address
from joule.database.errors import DatabaseAway, DatabaseBusy, DatabaseFull
from joule.database.signals import Signals
from joule.kernel.errors import Unavailable
from joule.kernel.ids import OrgId

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", AsyncSession)

Driver = psycopg.AsyncConnection[TupleRow]

_BEGIN = "joule_begin"  # the execution option that carries how a session's transactions begin

# Nothing waits for ever: a lock, a statement or a forgotten transaction ends in an error, not in a hung task.
_LIMITS = (
    "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=120s"
    " -c plan_cache_mode=force_custom_plan"
)
_BRIEF = "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=10s -c plan_cache_mode=force_generic_plan"
_FULL = {"53100"}
_BUSY = {"40001", "40P01", "55P03", "57014", "25P03"}  # serialisation, deadlock, lock and statement timeout, idle
_AWAY = {"57P01", "57P02", "57P03", "57P04", "57P05", "53300"}  # shutdown, crash, starting up, dropped, idle, crowded


class Database:
    """The application's way to its rows. Holds the pool of one process; `close` it when the process ends."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """`url` is a libpq address or connection string of the application role.

        Raises `Misconfigured` for one that would carry rows over a network in clear.
        """
        check_address(url)
        self.url = url
        self._signals = Signals(url)
        # Plans are never prepared behind our back: under row-level security a stale generic plan is slow or wrong.
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self._connect,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            hide_parameters=True,  # an error that quotes its parameters quotes content
        )
        event.listen(self._engine.sync_engine, "checkout", _notice_dead)
        event.listen(self._engine.sync_engine, "begin", _begin)

        self._has_drivers = False
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
            if not self._has_drivers:
                self._has_drivers = True  # opened by the first who asks; once closed it stays closed
                await self._drivers.open()
            async with self._drivers.connection() as connection:
                yield connection
        except psycopg.Error as problem:
            trouble = _trouble(problem)
            if trouble is None:
                raise
            raise trouble from problem

    async def _connect(self) -> Driver:
        # autocommit: the driver would spend a round trip on a bare BEGIN; `_begin` sends it with the organisation.
        return await psycopg.AsyncConnection.connect(
            self.url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=5,
            options=_LIMITS,
            application_name="joule",
        )

    @asynccontextmanager
    async def read(self, org: OrgId) -> AsyncIterator[ReadSession]:
        """A read-only transaction that sees the rows of `org` alone."""
        async with _session(self._engine, "READ ONLY", org) as session:
            yield ReadSession(session)
            await session.rollback()

    @asynccontextmanager
    async def write(self, org: OrgId) -> AsyncIterator[WriteSession]:
        """A transaction on the rows of `org`: committed on leaving, rolled back on any error.

        Raises `DatabaseAway`, `DatabaseFull` or `DatabaseBusy`; after each of them nothing of it was kept, except that
        a connection lost during the commit itself leaves that one commit unknown.
        """
        async with _session(self._engine, "READ WRITE", org) as session:
            yield WriteSession(session)
            await session.commit()

    @asynccontextmanager
    async def unscoped(self) -> AsyncIterator[AsyncSession]:
        """A transaction that names no organisation: sees only tables that have none (the queue, the schema's age)."""
        async with _session(self._engine, "READ WRITE", None) as session:
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


def _begin(connection: Connection) -> None:
    """Names the organisation in the very message that begins a transaction: whichever, also after a stray commit."""
    connection.exec_driver_sql(connection.get_execution_options()[_BEGIN])


@asynccontextmanager
async def _session(engine: AsyncEngine, mode: str, org: OrgId | None) -> AsyncIterator[AsyncSession]:
    scope = "" if org is None else UUID(str(org))  # nothing but an id can get into the statement
    begin = f"BEGIN {mode}; SELECT set_config('joule.org', '{scope}', true)"
    try:
        async with AsyncSession(engine.execution_options(**{_BEGIN: begin}), expire_on_commit=False) as session:
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
