"""One statement, prepared once a connection and sent with nothing between it and the driver's own C.

For the one statement on which everything waits. It costs half of what a cursor costs; everything else is better off
with the session, which this one does not replace.
"""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from weakref import WeakSet

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from joule.database.engine import Driver

_INT4, _TEXT, _UUID, _BYTEA = 23, 25, 2950, 17  # types as `pg_type` numbers them
_ARRAYS: Final = {1001: _BYTEA, 1007: _INT4, 1009: _TEXT}
OIDS: Final = {"uuid": _UUID, "integer": _INT4, "text": _TEXT, "bytea[]": 1001, "integer[]": 1007, "text[]": 1009}
_BINARY: Final = 1
_GIVEN_UP_AFTER: Final = 5.0  # seconds
_INT: Final = struct.Struct(">i")
_HEAD: Final = struct.Struct(">iii")  # of an array: dimensions, has nulls, type of the elements
_DIMENSION: Final = struct.Struct(">ii")  # length, lower bound


class Prepared:
    """A statement over parameters of the types in `OIDS`. Its rows, if any, are not looked at."""

    def __init__(self, name: str, statement: str, *types: str) -> None:
        """`statement` numbers its parameters `$1`, `$2`, …; `types` are theirs, in order."""
        self._name, self._statement = name.encode(), statement.encode()
        self._types = [OIDS[each] for each in types]
        self._formats = [_BINARY] * len(types)
        self._ready: WeakSet[Driver] = WeakSet()

    async def execute(self, connection: Driver, *values: bytes) -> None:
        """Run it on `connection`, which nobody else may be using, with each value as one of the functions below made it.

        Raises `psycopg.Error`. When the caller is cancelled meanwhile, the server is told to give the statement up:
        whether it took is not known then.
        """
        server = connection.pgconn
        try:
            if connection not in self._ready:
                server.send_prepare(self._name, self._statement, self._types)
                await _ended(server)
                self._ready.add(connection)
            server.send_query_prepared(self._name, values, self._formats, _BINARY)
            await _ended(server)
        except asyncio.CancelledError:
            with suppress(psycopg.Error):
                await connection.cancel_safe(timeout=_GIVEN_UP_AFTER)
                await _ended(server)
            raise


def integer(value: int) -> bytes:
    """A parameter of type `integer`."""
    return _INT.pack(value)


def array(of: str, values: Sequence[bytes]) -> bytes:
    """A parameter of an array type (`bytea[]`, `integer[]`, `text[]`) from its elements, none of them null."""
    dimensions = [_DIMENSION.pack(len(values), 1)] if values else []
    parts = [_HEAD.pack(len(dimensions), 0, _ARRAYS[OIDS[of]]), *dimensions]
    for value in values:
        parts += (_INT.pack(len(value)), value)
    return b"".join(parts)


async def _ended(server: PGconn) -> None:
    """Wait for the statement under way to end. Raises what it failed with."""
    loop = asyncio.get_running_loop()
    last: PGresult | None = None
    while server.flush():
        await _ready(loop, server, is_sending=True)
    while True:
        while server.is_busy():
            await _ready(loop, server)
            server.consume_input()
        result = server.get_result()
        if result is None:
            break
        last = result
    if last is None or server.status != ConnStatus.OK:
        raise psycopg.OperationalError("the connection was lost")
    if last.status not in {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}:
        raise error_from_result(last)


async def _ready(loop: asyncio.AbstractEventLoop, server: PGconn, *, is_sending: bool = False) -> None:
    """Wait until the server has something to say; with `is_sending`, or can take more."""
    socket, waited = server.socket, loop.create_future()

    def wake() -> None:
        if not waited.done():
            waited.set_result(None)

    loop.add_reader(socket, wake)
    if is_sending:
        loop.add_writer(socket, wake)
    try:
        await waited
    finally:
        loop.remove_reader(socket)
        loop.remove_writer(socket)
    if is_sending:
        server.consume_input()
