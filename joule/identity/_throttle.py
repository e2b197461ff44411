"""Counts tries at passwords, for one address and altogether.

A try is written down and committed before the password is looked at, in a transaction of its own: a try whose action
fails still counts, and when it cannot be counted nothing is checked. Only a success takes an address's tries away.
"""

from datetime import timedelta

from sqlalchemy import delete, func, select, text
from sqlmodel import col

from joule.database.engine import Database
from joule.identity.deployment import DEPLOYMENT
from joule.identity.errors import TooManyTries
from joule.identity.tables import SignInTryRow
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, new_id

WINDOW = timedelta(minutes=15)
PER_ADDRESS = 10
ALTOGETHER = 300

# Two tries at the same moment are counted one after the other.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('joule.sign_in_try', 0))")


class Throttle:
    """The count all processes of a deployment share."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def count(self, address_key: bytes, *, decision: DecisionId) -> None:
        """Count one try at `address_key`, or raise `TooManyTries` and count nothing."""
        now = self._clock.now()
        async with self._database.write(DEPLOYMENT) as session:
            await session.execute(_ONE_AT_A_TIME)
            await session.execute(delete(SignInTryRow).where(col(SignInTryRow.tried_at) <= now - WINDOW))
            mine = func.count().filter(col(SignInTryRow.address_key) == address_key)
            altogether, here = (await session.execute(select(func.count(), mine).select_from(SignInTryRow))).one()
            if here >= PER_ADDRESS or altogether >= ALTOGETHER:
                raise TooManyTries(WINDOW)
            session.add(
                SignInTryRow(
                    org_id=DEPLOYMENT, id=new_id(), address_key=address_key, tried_at=now, decision_id=decision
                )
            )

    async def forgive(self, address_key: bytes) -> None:
        """Take back the tries at an address whose owner has shown the password."""
        async with self._database.write(DEPLOYMENT) as session:
            await session.execute(delete(SignInTryRow).where(col(SignInTryRow.address_key) == address_key))
