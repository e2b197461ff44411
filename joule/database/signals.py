"""Wakes those who wait for rows of others: LISTEN and NOTIFY on one connection for all listeners of a process.

A signal is a hint to look, never the news itself: it carries ids alone, and every organisation's signals pass through
every process. It is sent when the sender's transaction commits, and not at all when it does not.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.errors import DatabaseAway
from joule.kernel.ending import end

_WIRE = "joule"  # PostgreSQL's channel; ours are told apart by the first word of what it carries
_NOTIFY = text("SELECT pg_notify(:wire, :message)")
_BACKLOG = 1000  # signals a slow listener may have waiting
_LONGEST_PAUSE = 2.0  # seconds between attempts to connect again


class Signals:
    """The listeners of one process. Connects when the first one comes; connects again whenever the server went away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ears: dict[str, set[asyncio.Queue[str | None]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._hearing = False

    def listen(self, channel: str) -> AsyncIterator[str]:
        """The payloads sent on `channel`, for ever.

        An empty string means: signals may have been missed, look at the rows. It comes first of all, once signals are
        heard, and again after every time they were not.
        Raises `DatabaseAway` when the listeners are closed under it.
        """
        return self._listen(_checked(channel))

    async def _listen(self, channel: str) -> AsyncGenerator[str, None]:
        queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=_BACKLOG)
        ears = self._ears.setdefault(channel, set())
        ears.add(queue)
        if self._hearing:
            queue.put_nowait("")
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="database signals")
        try:
            while (payload := await queue.get()) is not None:
                yield payload
            raise DatabaseAway()
        finally:
            ears.discard(queue)

    async def close(self) -> None:
        """Ends every listener."""
        if self._task is not None:
            await end(self._task)
            self._task = None

    async def _run(self) -> None:
        pause = 0.05
        try:
            while True:
                with contextlib.suppress(psycopg.Error):
                    async with await psycopg.AsyncConnection.connect(
                        self._url, autocommit=True, connect_timeout=5, application_name="joule signals"
                    ) as connection:
                        await connection.execute(f"LISTEN {_WIRE}")
                        pause, self._hearing = 0.05, True
                        self._tell_all("")
                        async for heard in connection.notifies():
                            channel, _, payload = heard.payload.partition(" ")
                            for queue in self._ears.get(channel, ()):
                                _put(queue, payload)
                self._hearing = False
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            self._hearing = False
            self._tell_all(None)

    def _tell_all(self, payload: str | None) -> None:
        for queues in self._ears.values():
            for queue in queues:
                _put(queue, payload)


async def notify(session: AsyncSession, channel: str, payload: str) -> None:
    """Sends `payload` (an id, never content; not empty) to all who listen on `channel`, if and when `session` commits."""
    if not payload or len(payload) > 200:
        raise ValueError("a signal carries an id")
    await session.execute(_NOTIFY, {"wire": _WIRE, "message": f"{_checked(channel)} {payload}"})


async def notify_all(connection: psycopg.AsyncConnection[TupleRow], channel: str, payloads: Sequence[str]) -> None:
    """Sends many signals at once, on a bare autocommit connection: what they tell of is committed already."""
    messages = [f"{_checked(channel)} {payload}" for payload in payloads]
    await connection.execute(
        "SELECT pg_notify(%s, m) FROM unnest(%s::text[]) AS u (m)", (_WIRE, messages), prepare=True
    )


def _checked(channel: str) -> str:
    if not channel or " " in channel or len(channel) > 200:
        raise ValueError(f"not a channel's name: {channel!r}")
    return channel


def _put(queue: asyncio.Queue[str | None], payload: str | None) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait("")
    queue.put_nowait(payload)
