"""Which sessions have a way out: those of organisations that have listed a host. All others have none at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from joule.database.engine import Database
from joule.kernel.ids import OrgId
from sandbox.egress import queries
from sandbox.egress.door import Door, Leave, Perform, sweep_away
from sandbox.egress.passing import Passing


class Doors:
    """The doors of one process, one for each session that has one. `perform` is the gate's way."""

    def __init__(self, *, database: Database, passing: Passing, perform: Perform) -> None:
        self._database, self._passing, self._perform = database, passing, perform
        self._doors: dict[UUID, Door] = {}
        self._is_swept = False

    async def opened(self, org: OrgId, session: UUID) -> Path | None:
        """The folder to bind into a new session's sandbox; None when its organisation lists no host."""
        if not await self._is_wanted(org):
            return None
        if not self._is_swept:
            sweep_away()
            self._is_swept = True
        door = Door(session=session, perform=self._perform, taken=self._passing.taken)
        await door.open()
        self._doors[session] = door
        return door.folder

    async def is_missing(self, org: OrgId, session: UUID) -> bool:
        """Whether a session was made before its organisation listed its first host."""
        return session not in self._doors and await self._is_wanted(org)

    @asynccontextmanager
    async def during(self, session: UUID, leave: Leave) -> AsyncIterator[None]:
        """Let the session's command ask, if it has a door."""
        door = self._doors.get(session)
        if door is None:
            yield
            return
        async with door.during(leave):
            yield

    async def close(self, session: UUID) -> None:
        door = self._doors.pop(session, None)
        if door is not None:
            await door.close()

    async def close_all(self) -> None:
        for session in tuple(self._doors):
            await self.close(session)

    async def _is_wanted(self, org: OrgId) -> bool:
        async with self._database.read(org) as session:
            return await queries.leads_out(session, org)
