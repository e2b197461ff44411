"""Many callers in several processes race for one rotating token; then processes are killed with the answer in hand.

One refresh is what may reach the provider; a second one would end the grant. After a kill between the provider's answer
and the commit the connection must work, or say that it needs reconnecting: anything else is a silent death.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from joule.bench._ground import Ground, ground
from joule.bench._refresh_worker import Ahead, ask
from joule.bench._rotating import Rotating, connect, rotating
from joule.bench.report import Report
from joule.database.engine import Database
from joule.kernel.errors import Unavailable
from joule.kernel.ids import OrgId, new_id
from joule.kernel.settings import IntegrationSettings, Settings
from joule.vault.configured import wrapper_of
from joule.vault.vault import Vault

CALLERS, PROCESSES = 48, 6
SLOW = 1.5  # seconds the provider takes to answer the race
HOURS = 2  # each step in time, past the end of the tokens
LATEST_KILL = 0.04  # seconds after the answer left
TARGETS = {"refreshes": {"max": 1.0}, "lost_grants": {"max": 0.0}, "silent_deaths": {"max": 0.0}}


async def run(*, quick: bool, crashes: int | None = None, seed: int | None = None, **_: object) -> Report:
    """`crashes` kills at random points (8 quick, else 50); `seed` repeats the same moments, more or less."""
    crashes = crashes if crashes is not None else (8 if quick else 50)
    async with rotating() as provider:
        settings = IntegrationSettings(deadline_seconds=4, lease_seconds=12, demo_port=provider.port)
        async with ground(integrations=settings) as here, _rows(here) as (database, vault):
            raced = await race(here.settings, provider, database, vault)
            died = await _crash(here, provider, database, vault, crashes=crashes, chance=random.Random(seed))
    return Report(
        name="refresh",
        figures={"callers": CALLERS, "processes": PROCESSES, **raced, "crashes": crashes, **died},
        targets=TARGETS,
        notes=f"provider answers after {SLOW} s and ends the grant on reuse; SIGKILL within {LATEST_KILL:g} s of the answer",
    )


async def race(
    settings: Settings,
    provider: Rotating,
    database: Database,
    vault: Vault,
    *,
    callers: int = CALLERS,
    processes: int = PROCESSES,
    slow: float = SLOW,
) -> Mapping[str, float]:
    """What becomes of one stale token that `callers` want at once, spread over `processes` of their own."""
    org = OrgId(new_id())
    connection = await connect(database, vault, provider, org=org, now=Ahead(timedelta()).now())
    provider.slow, provider.refreshes = slow, 0
    workers = [await _worker(settings) for _ in range(processes)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        told = await asyncio.gather(
            *(each.wish(org, connection, callers=callers // processes, hours=HOURS) for each in workers)
        )
    finally:
        for each in workers:
            await each.dismiss()
    took = loop.time() - began
    got = [token for each in told for token in each]
    return {
        "refreshes": provider.refreshes,
        "distinct_tokens": len(set(got)),
        "lost_grants": int(provider.access is None or set(got) != {provider.access}),
        "race_s": round(took, 2),
    }


async def _crash(
    here: Ground, provider: Rotating, database: Database, vault: Vault, *, crashes: int, chance: random.Random
) -> Mapping[str, float]:
    """Kill a process between the provider's answer and its commit, and look what the next one finds."""
    org, hours, worker = OrgId(new_id()), 0.0, await _worker(here.settings)
    provider.slow = 0.0
    connection, works, says, silent = None, 0, 0, 0
    try:
        for _ in range(crashes):
            hours += HOURS
            if connection is None:
                now = Ahead(timedelta(hours=hours - HOURS)).now()
                connection = await connect(database, vault, provider, org=org, now=now)
            provider.answered.clear()
            child = await worker.begin(org, connection, callers=1, hours=hours)
            await asyncio.wait_for(provider.answered.wait(), 30)
            await asyncio.sleep(chance.uniform(0, LATEST_KILL))
            _kill(child)
            await worker.ended()
            (found,) = await _after(here, org, connection, hours=hours + 0.02)  # the lease is over by then
            if provider.access is not None and found == provider.access:
                works += 1
            elif found == "integrations.needs_reconnecting":
                says, connection = says + 1, None
            else:
                silent, connection = silent + 1, None
    finally:
        await worker.dismiss()
    return {"works": works, "needs_reconnecting": says, "silent_deaths": silent}


async def _after(here: Ground, org: OrgId, connection: UUID, *, hours: float) -> list[str]:
    previous = {name: os.environ.get(name) for name in _environment(here.settings)}
    os.environ.update(_environment(here.settings))
    try:
        return await ask(org, connection, callers=1, ahead=timedelta(hours=hours))
    finally:
        for name, value in previous.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@asynccontextmanager
async def _rows(here: Ground) -> AsyncIterator[tuple[Database, Vault]]:
    database = Database(here.address.app_url, pool_size=4)
    vault = Vault(
        wrapper=wrapper_of(here.settings),
        clock=Ahead(timedelta()),
        environment=here.settings.environment,
        cache_seconds=60,
    )
    try:
        yield database, vault
    finally:
        await database.close()


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "JOULE_HOME": str(settings.home),
        "JOULE_ENVIRONMENT": settings.environment,
        "JOULE_DATABASE_URL": "" if settings.database.url is None else settings.database.url.get_secret_value(),
        "JOULE_INTEGRATIONS_DEADLINE_SECONDS": str(settings.integrations.deadline_seconds),
        "JOULE_INTEGRATIONS_LEASE_SECONDS": str(settings.integrations.lease_seconds),
        "JOULE_INTEGRATIONS_DEMO_PORT": str(settings.integrations.demo_port),
    }


@dataclass(frozen=True, kw_only=True)
class _Worker:
    """A process that forks for each wish."""

    process: asyncio.subprocess.Process
    wishes: asyncio.StreamWriter
    answers: asyncio.StreamReader

    async def begin(self, org: OrgId, connection: UUID, *, callers: int, hours: float) -> int:
        """The id of the child that sees to it."""
        self.wishes.write(f"{org} {connection} {callers} {hours}\n".encode())
        await self.wishes.drain()
        return int(await self.answers.readline())

    async def ended(self) -> str:
        """What the child told before it ended; nothing if it was killed first."""
        told = ""
        while (line := (await self.answers.readline()).decode().strip()) not in {"over", ""}:
            told = line
        return told

    async def wish(self, org: OrgId, connection: UUID, *, callers: int, hours: float) -> list[str]:
        """What each caller got."""
        await self.begin(org, connection, callers=callers, hours=hours)
        told: list[str] = json.loads(await self.ended() or "[]")
        return told

    async def dismiss(self) -> None:
        self.wishes.close()
        await self.process.wait()


async def _worker(settings: Settings) -> _Worker:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "joule.bench._refresh_worker"),
        env={**os.environ, **_environment(settings)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise Unavailable("a process to measure with")
    worker = _Worker(process=process, wishes=process.stdin, answers=process.stdout)
    await worker.answers.readline()  # it has read what it needs
    return worker


def _kill(child: int) -> None:
    with suppress(ProcessLookupError):  # it was faster
        os.kill(child, signal.SIGKILL)
