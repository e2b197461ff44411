"""Ends what is past its time: artifacts, their bytes, sessions, and sandboxes that no session has any more.

Everything in the database goes through the gate as an action of the system's own. Any number of workers may do this at
once; sandboxes are ended by the worker that holds them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import psycopg
from sqlalchemy.exc import DBAPIError

from joule.kernel.action import Action
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via
from sandbox.actions import Sweep
from sandbox.results import Swept
from sandbox.sessions import Sessions

log = logging.getLogger("joule.sandbox")

Perform = Callable[[Action[Swept]], Awaitable[Swept]]
Organisations = Callable[[], Awaitable[Sequence[OrgId]]]
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)
_STRAYS_EVERY = timedelta(seconds=5)  # somebody who ends a session does not want to wait; it costs nothing without any
_MOST_ROUNDS = 100  # of one organisation; what is due then is due in the next minute


class Upkeep:
    """Looks after every organisation's artifacts and sessions. `is_due` says which have anything to end, so that the others leave no record of nothing."""

    def __init__(
        self,
        *,
        perform: Perform,
        organisations: Organisations,
        is_due: Callable[[OrgId], Awaitable[bool]],
        sessions: Sessions,
        every: timedelta,
    ) -> None:
        self._perform, self._organisations, self._is_due = perform, organisations, is_due
        self._sessions, self._every = sessions, every

    async def keep_running(self) -> None:
        """A round now and every so often, and strays ended in between. Outlives a database and a store that go away."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_repeated(self.run, self._every))
            group.create_task(_repeated(self._sessions.end_strays, _STRAYS_EVERY))

    async def run(self) -> Swept:
        """One round of what the database knows. What fails for one organisation keeps no other waiting."""
        artifacts = blobs = sessions = 0
        more = False
        for org in await self._organisations():
            try:
                swept = await self._of(org)
            except _TROUBLE as problem:
                log.warning(
                    "organisation %s could not be swept: %s", org, getattr(problem, "code", type(problem).__name__)
                )
                continue
            artifacts, blobs, sessions = artifacts + swept.artifacts, blobs + swept.blobs, sessions + swept.sessions
            more = more or swept.more
        return Swept(artifacts=artifacts, blobs=blobs, sessions=sessions, more=more)

    async def _of(self, org: OrgId) -> Swept:
        artifacts = blobs = sessions = 0
        system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        more = await self._is_due(org)
        for _ in range(_MOST_ROUNDS):
            if not more:
                break
            swept = await self._perform(Sweep(principal=system))
            artifacts, blobs, sessions = artifacts + swept.artifacts, blobs + swept.blobs, sessions + swept.sessions
            more = swept.more or await self._is_due(org)  # bytes are forgotten a round after what had them ended
        return Swept(artifacts=artifacts, blobs=blobs, sessions=sessions, more=more)


async def _repeated(doing: Callable[[], Awaitable[object]], every: timedelta) -> None:
    while True:
        try:
            await doing()
        except _TROUBLE as problem:
            log.warning("sandboxes and artifacts have to wait: %s", type(problem).__name__)
        await asyncio.sleep(every.total_seconds())
