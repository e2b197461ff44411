"""The sweep of the journal: every minute, what has reached its end ends.

First in each organisation, through the gate: the keys of days that are over. Then for all of them at once: chains, seals and
partitions that are past their class. One worker does it at a time, and each step stands alone: one that was killed
leaves what it had not done to the next.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from sqlalchemy.exc import DBAPIError

from joule.database.engine import Database
from joule.governance.commands import Commands
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via
from joule.privacy import receipts
from joule.privacy._expiring import Expiring
from joule.privacy.actions import Sweep
from joule.privacy.alone import alone
from joule.vault.vault import Vault
from traces.ending import holds, partitions

log = logging.getLogger("joule.privacy")

SWEPT_EVERY = timedelta(minutes=1)
MOST_ROUNDS = 100  # of one organisation in one sweep
VACUUMED = ("person", "thread", "task", "memory_item", "memory_entry", "project_file", "file_version", "artifact")

_ONE_AT_A_TIME = 0x6A_73_77_74  # the advisory lock of whoever sweeps the journal
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)

Organisations = Callable[[], Awaitable[Sequence[OrgId]]]


@dataclass(frozen=True, kw_only=True)
class JournalSwept:
    """What one sweep came to. `failed`: organisations in which it could not be finished."""

    days: int = 0
    calls: int = 0
    chains: int = 0
    partitions: int = 0
    held: int = 0
    seals: int = 0
    failed: tuple[OrgId, ...] = ()


class JournalSweep:
    """Ends what is due. `run` once; `keep_running` for as long as a worker lives."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        commands: Commands,
        clock: Clock,
        organisations: Organisations,
        retention: str,
    ) -> None:
        """`retention`: the class of organisations that have chosen none."""
        self._database, self._commands, self._clock = database, commands, clock
        self._organisations = organisations
        self._expiring = Expiring(vault=vault, default=retention)
        self._vacuumed = clock.now() - timedelta(hours=1)

    async def keep_running(self) -> None:
        """Sweep now and every minute. Outlives a database that goes away."""
        while True:
            try:
                await self.run()
            except _TROUBLE as problem:
                log.warning("the sweep of the journal has to wait: %s", type(problem).__name__)
            await asyncio.sleep(SWEPT_EVERY.total_seconds())

    async def run(self) -> JournalSwept:
        """Sweep once. Does nothing while another worker does. One organisation in trouble keeps no other from it."""
        async with alone(self._database, _ONE_AT_A_TIME) as mine:
            if not mine:
                return JournalSwept()
            days = calls = 0
            failed: list[OrgId] = []
            asked_for: datetime | None = None
            for org in await self._organisations():
                try:
                    ended = await self._organisation(org)
                    days, calls = days + ended[0], calls + ended[1]
                    if ended[2] is not None:
                        asked_for = max(filter(None, (asked_for, ended[2])))
                except _TROUBLE as problem:
                    failed.append(org)
                    log.warning("the journal of %s could not be swept: %s", org, type(problem).__name__)
            gone = await self._partitions()
            if asked_for is not None and asked_for > self._vacuumed:
                await self._vacuum()
        return JournalSwept(
            days=days,
            calls=calls,
            chains=sum(each.chains for each in gone),
            partitions=sum(each.partitions for each in gone),
            held=sum(each.held for each in gone),
            seals=sum(each.seals for each in gone),
            failed=tuple(failed),
        )

    async def _organisation(self, org: OrgId) -> tuple[int, int, datetime | None]:
        """The days and calls that went, and when something was last erased on somebody's word."""
        system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        days = calls = 0
        async with self._database.read(org) as session:
            due = await self._expiring.is_due(session, org, self._clock.now())
            asked_for = await receipts.last_asked_for(session, org)
            is_free = not await holds.standing(session, org)
        rounds = 0
        while due and rounds < MOST_ROUNDS:
            swept = await self._commands.perform(Sweep(principal=system))
            days, calls, rounds, due = days + swept.days, calls + swept.calls, rounds + 1, swept.more
        if is_free:
            await partitions.release(self._database, org)
        return days, calls, asked_for

    async def _partitions(self) -> list[partitions.Dropped]:
        async with self._database.unscoped() as session:
            used = await partitions.in_use(session)
        return [await partitions.drop_expired(self._database, each) for each in used if each != "hold"]

    async def _vacuum(self) -> None:
        """Overwrite what erasures left on pages; a table that is busy is left out until the next one."""
        now = self._clock.now()
        async with self._database.driver() as connection:
            await connection.execute("SET statement_timeout = 0")
            try:
                for each in VACUUMED:
                    await connection.execute(f"VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON) {each}".encode())
            finally:
                await connection.execute("RESET statement_timeout")
        self._vacuumed = now
