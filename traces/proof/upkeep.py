"""Keeps the proof going while workers live: seals what has moved every minute, and sends heads where they are wanted.

Of all workers one seals at a time and one sends. A worker that is killed leaves what it had committed, and the next
goes on from there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from traces.proof.delivering import Deliver, Delivery
from traces.proof.sealing import Sealing

log = logging.getLogger("joule.traces")

Organisations = Callable[[], Awaitable[Sequence[OrgId]]]
MARGIN: Final = timedelta(minutes=2)  # rows may be committed this long after the time they carry; later ones wait for:
THOROUGH_EVERY: Final = 60  # rounds; then every chain is looked at, however old its rows
MOST_DELIVERIES: Final = 8  # at a time
_SEALS, _SENDS = 0x6A_73_65_61, 0x6A_73_65_6E  # the advisory locks of whoever does it
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)


class Upkeep:
    """Seals and sends for every organisation."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        sealing: Sealing,
        delivery: Delivery,
        deliver: Deliver,
        organisations: Organisations,
        every: timedelta,
    ) -> None:
        """`deliver` is the gate's way to send, for the system's own hand."""
        self._database, self._clock, self._sealing = database, clock, sealing
        self._delivery, self._deliver, self._organisations = delivery, deliver, organisations
        self._every = every
        self._looked: dict[OrgId, datetime] = {}  # when each was looked at last
        self._rounds = 0

    async def keep_running(self) -> None:
        """A round of each now and every so often. Outlives a database and receivers that go away."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._led(_SEALS, self.seal, "the journal cannot be sealed just now"))
            group.create_task(self._led(_SENDS, self.send, "signed heads have to wait"))

    async def seal(self) -> int:
        """Seal what has moved in every organisation; how many chains had. Several at once do no harm."""
        sealed = 0
        thorough = self._rounds % THOROUGH_EVERY == 0
        self._rounds += 1
        for org in await self._organisations():
            now = self._clock.now()
            last = self._looked.get(org)
            since = None if thorough or last is None else min(last, now) - MARGIN
            try:
                sealed += await self._sealing.seal(org, since=since)
                self._looked[org] = now
            except _TROUBLE as problem:
                log.warning("the journal of %s could not be sealed: %s", org, _word(problem))
        return sealed

    async def send(self) -> int:
        """Send what is due; how many heads went out. Several at once send the same twice."""
        places = asyncio.Semaphore(MOST_DELIVERIES)
        orgs = await self._organisations()
        return sum(await asyncio.gather(*(self._sent(org, places) for org in orgs)))

    async def _sent(self, org: OrgId, places: asyncio.Semaphore) -> int:
        sent = 0
        async with places:
            try:
                for sink in await self._delivery.due(org):
                    more = True
                    while more:
                        delivered = await self._deliver(org, sink)
                        sent, more = sent + delivered.heads, delivered.more
            except _TROUBLE as problem:
                log.warning("heads of %s could not be sent: %s", org, _word(problem))
        return sent

    async def _led(self, lock: int, doing: Callable[[], Awaitable[object]], trouble: str) -> None:
        """Do it every so often while this process is the one that does; else try to become it."""
        while True:
            try:
                async with self._leading(lock) as leads:
                    while await leads():
                        await doing()
                        await asyncio.sleep(self._every.total_seconds())
            except _TROUBLE as problem:
                log.warning("%s: %s", trouble, _word(problem))
            await asyncio.sleep(self._every.total_seconds())

    @asynccontextmanager
    async def _leading(self, lock: int) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Asks whether this process leads. It does for as long as this connection lives, whatever happens to either.

        A connection of its own: held for days, it must not be one of those that the journal needs.
        """
        options = "-c statement_timeout=10s"
        async with await psycopg.AsyncConnection.connect(
            self._database.url, autocommit=True, connect_timeout=5, options=options, application_name="joule proof"
        ) as connection:
            taken = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [lock])).fetchone()
            self._looked.clear()  # whoever led before may have been killed: the first look is a thorough one

            async def leads() -> bool:
                await connection.execute("SELECT 1")  # raises once it is lost
                return taken is not None and bool(taken[0])

            yield leads


def _word(problem: Exception) -> str:
    return getattr(problem, "code", type(problem).__name__)
