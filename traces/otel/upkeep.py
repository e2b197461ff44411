"""Keeps the export going while workers live. Of all workers one exports at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from traces.otel.exporting import Exporting
from traces.otel.results import Exported

log = logging.getLogger("joule.traces")

Organisations = Callable[[], Awaitable[Sequence[OrgId]]]
Export = Callable[[OrgId], Awaitable[Exported]]
_LOCK: Final = 0x6A_6F_74_65  # the advisory lock of whoever does it
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)


class Upkeep:
    """Exports for every organisation."""

    def __init__(
        self,
        *,
        database: Database,
        exporting: Exporting,
        export: Export,
        organisations: Organisations,
        every: timedelta,
    ) -> None:
        """`export` is the gate's way to send, for the system's own hand."""
        self._database, self._exporting, self._export = database, exporting, export
        self._organisations, self._every = organisations, every

    async def keep_running(self) -> None:
        """A round now and every so often, if there is a backend. Outlives a database and a backend that go away."""
        while self._exporting.is_on:
            try:
                await self.round()
            except _TROUBLE as problem:
                log.warning("the export of the journal has to wait: %s", type(problem).__name__)
            await asyncio.sleep(self._every.total_seconds())

    async def round(self) -> int:
        """Send what is due; how many spans went out. Nothing while another worker does it."""
        sent = 0
        async with self._database.driver() as connection:
            row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])).fetchone()
            if row is None or not row[0]:
                return 0
            try:
                for org in await self._organisations():
                    sent += await self._of(org)
            finally:
                await connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
        return sent

    async def _of(self, org: OrgId) -> int:
        sent = 0
        try:
            while await self._exporting.is_due(org):
                sent += (await self._export(org)).spans
        except _TROUBLE as problem:
            log.warning("spans of %s have to wait: %s", org, getattr(problem, "code", type(problem).__name__))
        return sent
