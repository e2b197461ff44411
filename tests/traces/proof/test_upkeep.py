"""Of all workers one seals; when it is gone, another does."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import psycopg

from joule.database.engine import Database
from joule.kernel.ids import OrgId
from tests.support.clock import StoppedClock
from tests.support.postgres import TestServer
from tests.traces.proof.test_sealing import record
from traces.opening import Journals
from traces.proof.proofs import Proofs
from traces.proof.results import Delivered
from traces.proof.upkeep import Upkeep


class Counting(Upkeep):
    """Counts the rounds of one worker."""

    rounds = 0

    async def seal(self) -> int:
        self.rounds += 1
        return await super().seal()


async def test_one_worker_seals_and_another_takes_over_when_it_is_gone(
    journals: Journals, proving: Proofs, database: Database, clock: StoppedClock, org: OrgId, test_server: TestServer
):
    async def organisations() -> Sequence[OrgId]:
        return [org]

    async def nowhere(org: OrgId, sink: str) -> Delivered:
        raise AssertionError("nothing is to be sent")

    first, second = [
        Counting(
            database=database,
            clock=clock,
            sealing=proving.sealing,
            delivery=proving.delivery,
            deliver=nowhere,
            organisations=organisations,
            every=timedelta(milliseconds=50),
        )
        for _ in range(2)
    ]

    async def sealed(many: int) -> None:
        async with asyncio.timeout(30):
            while True:
                async for found in proving.verify(org):
                    last = found
                if last.seals >= many:
                    return
                await asyncio.sleep(0.05)

    working = [asyncio.create_task(first.keep_running())]
    try:
        await record(journals, org)
        await sealed(1)
        working.append(asyncio.create_task(second.keep_running()))
        await record(journals, org)
        await sealed(2)
        assert second.rounds == 0  # it has come second, and only looks whether it may

        working[0].cancel()
        await record(journals, org)
        await sealed(3)
        assert second.rounds > 0

        superuser = test_server.superuser_url()
        async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as operator:  # connections are cut
            await operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'joule proof'"
            )
        await record(journals, org)
        await sealed(4)
    finally:
        for each in working:
            each.cancel()
        await asyncio.gather(*working, return_exceptions=True)
