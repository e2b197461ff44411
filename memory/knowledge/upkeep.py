"""Has documents read while workers live, and vacuums after what was deleted.

Every document goes through the gate as an action of the system's own. Any number of workers may do this at once: a
document belongs to whoever holds its lease, and one whose worker died is taken up again when the lease has run out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via
from memory.knowledge import due
from memory.knowledge._shelf import CHANNEL
from memory.knowledge.actions import IndexDocument, ReindexDocument
from memory.knowledge.erasing import FORGOTTEN
from memory.knowledge.vacuuming import vacuum

log = logging.getLogger("joule.memory")

Perform = Callable[[Action[Any]], Awaitable[Any]]
Organisations = Callable[[], Awaitable[Sequence[OrgId]]]

LOOKED_FOR_EVERY = timedelta(seconds=30)  # documents whose worker died, or whose signal was not heard
VACUUMED_AFTER = timedelta(seconds=5)  # of quiet, so that many deletions cost one vacuum
_OLD_AT_ONCE = 100
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)


class Upkeep:
    """Looks after the documents of every organisation."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        perform: Perform,
        organisations: Organisations,
        model: str | None,
        every: timedelta = LOOKED_FOR_EVERY,
    ) -> None:
        """`model`: what documents are embedded with here; those of another model are read again, once."""
        self._database, self._clock, self._perform = database, clock, perform
        self._organisations, self._model, self._every = organisations, model, every
        self._heard = asyncio.Event()
        self._forgotten = asyncio.Event()

    async def keep_running(self) -> None:
        """For as long as it is let. Outlives a database that goes away."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(CHANNEL, self._document_waits))
            group.create_task(self._listen(FORGOTTEN, self._something_went))
            group.create_task(self._vacuum())
            group.create_task(self._index())

    async def run(self) -> int:
        """Read everything that is due now in every organisation; how many documents were looked at."""
        tried: set[UUID] = set()  # what fails is tried again in another round, and keeps no other waiting
        waiting = list(await self._organisations())
        while waiting:  # one document of each in turn: nobody waits for another's thousand
            waiting = [org for org in waiting if await self._one(org, tried)]
        return len(tried)

    async def renew(self) -> int:
        """Have documents of another embedding model read again; how many."""
        count = 0
        for org in await self._organisations() if self._model is not None else ():
            is_more = True
            while is_more:
                async with self._database.read(org) as session:
                    old = await due.to_embed(session, org, self._model or "", most=_OLD_AT_ONCE)
                done = 0
                for project, document in old:  # each leaves the list, for it waits to be read now
                    again = ReindexDocument(principal=_system(org), project=project, document=document)
                    done += await self._tried(again)
                count += done
                is_more = done > 0 and len(old) == _OLD_AT_ONCE
        return count

    async def _index(self) -> None:
        is_first = True
        while True:
            try:
                if is_first:
                    await self.renew()
                    is_first = False
                self._heard.clear()
                await self.run()
            except _TROUBLE as problem:
                log.warning("documents have to wait: %s", type(problem).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), self._every.total_seconds())

    async def _one(self, org: OrgId, tried: set[UUID]) -> bool:
        """Read one document of the organisation that was not tried yet; whether there was one."""
        async with self._database.read(org) as session:
            found = await due.to_index(session, org, now=self._clock.now(), but=tried)
        if found is None:
            return False
        project, document = found
        tried.add(document)
        await self._tried(IndexDocument(principal=_system(org), project=project, document=document))
        return True

    async def _tried(self, action: Action[Any]) -> int:
        try:
            await self._perform(action)
        except _TROUBLE as problem:
            log.info("%s: %s", action.name, getattr(problem, "code", type(problem).__name__))
            return 0
        return 1

    async def _vacuum(self) -> None:
        while True:
            await self._forgotten.wait()
            await asyncio.sleep(VACUUMED_AFTER.total_seconds())
            self._forgotten.clear()
            try:
                await vacuum(self._database)
            except _TROUBLE as problem:
                log.warning("what was deleted is vacuumed later: %s", type(problem).__name__)
                self._forgotten.set()

    async def _listen(self, channel: str, tell: Callable[[], None]) -> None:
        async for _ in self._database.listen(channel):  # an empty one first: signals may have been missed
            tell()

    def _document_waits(self) -> None:
        self._heard.set()

    def _something_went(self) -> None:
        self._forgotten.set()


def _system(org: OrgId) -> Principal:
    return Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
