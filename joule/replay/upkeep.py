"""Deletes reports that are past their time, in every organisation, once a day. Any number of workers may do this at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import psycopg
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via
from joule.replay import queries
from joule.replay.actions import ForgetWhatIfs
from joule.replay.results import WhatIfsForgotten

log = logging.getLogger("joule.replay")

EVERY = timedelta(days=1)
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)


class Upkeep:
    """Looks after the reports of all organisations; those with nothing due are left no record of nothing."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        perform: Callable[[Action[WhatIfsForgotten]], Awaitable[WhatIfsForgotten]],
        organisations: Callable[[], Awaitable[Sequence[OrgId]]],
    ) -> None:
        self._database, self._clock, self._perform, self._organisations = database, clock, perform, organisations

    async def keep_running(self) -> None:
        """A round now and every day. Outlives a database that goes away."""
        while True:
            try:
                await self.run()
            except _TROUBLE as problem:
                log.warning("old reports have to wait: %s", type(problem).__name__)
            await asyncio.sleep(EVERY.total_seconds())

    async def run(self) -> int:
        """One round; how many reports went."""
        gone = 0
        for org in await self._organisations():
            async with self._database.read(org) as session:
                is_due = await queries.is_any_due(session, org, now=self._clock.now())
            if is_due:
                system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
                gone += (await self._perform(ForgetWhatIfs(principal=system))).reports
        return gone
