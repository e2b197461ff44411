"""Keeps connected accounts in order while workers live: renews what is due, looks at what can be looked at, and tells
providers what was disconnected.

Everything goes through the gate as an action of the system's own. Any number of workers may do this at once: a grant is
renewed by whoever holds its lease, and a revocation belongs for two minutes to whoever took it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from integrations import due
from integrations.actions import RefreshGrant, TellProvider
from integrations.care.actions import LookAtGrant, NameAccount
from joule.database.engine import Database
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via

log = logging.getLogger("joule.integrations")

Perform = Callable[[Action[Any]], Awaitable[Any]]
Organisations = Callable[[], Awaitable[Sequence[OrgId]]]
_TROUBLE = (JouleError, OSError, psycopg.Error, DBAPIError)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What one round did."""

    renewed: int = 0
    told: int = 0
    looked: int = 0
    named: int = 0


class Upkeep:
    """Looks after every organisation's grants and revocations."""

    def __init__(
        self, *, database: Database, clock: Clock, perform: Perform, organisations: Organisations, every: timedelta
    ) -> None:
        self._database, self._clock, self._perform = database, clock, perform
        self._organisations, self._every = organisations, every

    async def keep_running(self) -> None:
        """A round now and every so often. Outlives a database and providers that go away."""
        while True:
            try:
                await self.run()
            except _TROUBLE as problem:
                log.warning("connected accounts have to wait: %s", type(problem).__name__)
            await asyncio.sleep(self._every.total_seconds())

    async def run(self) -> Kept:
        """One round. What fails for one account keeps no other waiting."""
        renewed = told = looked = named = 0
        for org in await self._organisations():
            system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
            now = self._clock.now()
            async with self._database.read(org) as session:
                revocations = await due.revocations(session, org, now=now)
                stale = await due.grants(session, org, now=now)
                doubtful = await due.looks(session, org, now=now)
                nameless = await due.names(session, org, now=now)
            for revocation in revocations:
                told += await self._tried(TellProvider(principal=system, revocation=revocation))
            for grant in stale:
                renewed += await self._tried(RefreshGrant(principal=system, grant=grant))
            for grant in doubtful:
                looked += await self._tried(LookAtGrant(principal=system, grant=grant))
            for grant in nameless:
                named += await self._tried(NameAccount(principal=system, grant=grant))
        return Kept(renewed=renewed, told=told, looked=looked, named=named)

    async def _tried(self, action: Action[Any]) -> int:
        try:
            await self._perform(action)
        except _TROUBLE as problem:
            log.info("%s: %s", action.name, getattr(problem, "code", type(problem).__name__))
            return 0
        return 1
