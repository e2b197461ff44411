"""The daily sweep: in every organisation, what has reached its end ends, whether or not anybody is there.

Any worker may run it. Only one does at a time, and a sweep that was broken off is simply run again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database, WriteSession
from joule.governance.commands import Commands
from joule.identity.deployment import DEPLOYMENT
from joule.identity.queries import organisations
from joule.identity.upkeep import forget_ended
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via
from joule.privacy.alone import alone
from memory.actions import Sweep
from traces.ending import holds
from traces.grants import queries as grants
from traces.grants.actions import ForgetAccess

log = logging.getLogger("joule.privacy")

SWEPT_EVERY = timedelta(days=1)
TRIED_AGAIN_AFTER = timedelta(minutes=5)  # when the database was away
JOBS_KEPT = timedelta(days=1)  # after their end
MOST_ROUNDS = 1_000  # of one organisation; what is still due then is due tomorrow

ONE_AT_A_TIME = 0x6A_73_77_70  # the advisory lock of whoever sweeps
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)

ForgetJobs = Callable[[AsyncSession, datetime], Awaitable[int]]
ResumeLapsed = Callable[[WriteSession, OrgId, datetime], Awaitable[int]]


@dataclass(frozen=True, kw_only=True)
class Upkept:
    """What one sweep came to. `failed`: organisations in which it could not be finished."""

    organisations: int = 0
    files: int = 0
    items: int = 0
    sign_ins: int = 0
    accesses: int = 0  # requests, grants and reads of content that were past their time
    resumed: int = 0
    jobs: int = 0
    failed: tuple[OrgId, ...] = ()


class Upkeep:
    """Erases what is due. `run` once; `keep_running` for as long as a worker lives."""

    def __init__(
        self,
        *,
        database: Database,
        commands: Commands,
        clock: Clock,
        forget_jobs: ForgetJobs,
        resume_lapsed: ResumeLapsed,
    ) -> None:
        """`forget_jobs` deletes what is left in the queue of work that ended before a time, and says how much.

        `resume_lapsed` takes up an organisation's tasks whose questions were not answered in time, and says how many.
        """
        self._database, self._commands, self._clock = database, commands, clock
        self._forget_jobs, self._resume_lapsed = forget_jobs, resume_lapsed

    async def keep_running(self) -> None:
        """Sweep now and every day. Outlives a database that goes away: it tries again a little later."""
        while True:
            pause = SWEPT_EVERY
            try:
                await self.run()
            except _TROUBLE as problem:
                log.warning("the daily sweep has to wait: %s", type(problem).__name__)
                pause = TRIED_AGAIN_AFTER
            await asyncio.sleep(pause.total_seconds())

    async def run(self) -> Upkept:
        """Sweep every organisation. Does nothing while another worker sweeps.

        One organisation that cannot be swept keeps no other from it; it is named in the outcome and in the log.
        """
        async with alone(self._database, ONE_AT_A_TIME) as mine:
            if not mine:
                return Upkept()
            async with self._database.read(DEPLOYMENT) as session:
                found = await organisations(session)
            files = items = sign_ins = accesses = resumed = 0
            failed: list[OrgId] = []
            for org in found:
                try:
                    erased = await self._memory(org)
                    files, items = files + erased[0], items + erased[1]
                    sign_ins += await self._sign_ins(org)
                    accesses += await self._accesses(org)
                    resumed += await self._lapsed(org)
                except _TROUBLE as problem:
                    failed.append(org)
                    log.warning("organisation %s could not be swept: %s", org, type(problem).__name__)
            async with self._database.unscoped() as session:
                jobs = await self._forget_jobs(session, self._clock.now() - JOBS_KEPT)
        return Upkept(
            organisations=len(found),
            files=files,
            items=items,
            sign_ins=sign_ins,
            accesses=accesses,
            resumed=resumed,
            jobs=jobs,
            failed=tuple(failed),
        )

    async def _memory(self, org: OrgId) -> tuple[int, int]:
        """Files and items past their time, through the gate like everything else; how many of each went."""
        system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        files = items = 0
        for _ in range(MOST_ROUNDS):
            async with self._database.read(org) as session:
                if holds.on(await holds.standing(session, org)) is not None:
                    break  # nothing of it ends for now
            swept = await self._commands.perform(Sweep(principal=system))
            files, items = files + swept.files, items + swept.items
            if not swept.more:
                break
        return files, items

    async def _sign_ins(self, org: OrgId) -> int:
        async with self._database.write(org) as session:
            return await forget_ended(session, org, now=self._clock.now())

    async def _accesses(self, org: OrgId) -> int:
        async with self._database.read(org) as session:
            held = holds.on(await holds.standing(session, org)) is not None
            if held or not await grants.are_due(session, org, now=self._clock.now()):
                return 0
        system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        gone = await self._commands.perform(ForgetAccess(principal=system))
        return gone.requests + gone.reads

    async def _lapsed(self, org: OrgId) -> int:
        async with self._database.write(org) as session:
            return await self._resume_lapsed(session, org, self._clock.now())
