"""Puts the house together: the only module that knows every handler and every concrete part.

Nothing is built at import. What only a worker needs (the agent's graph) is loaded only where a worker runs, so that
a web process stays small.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.handler import IntegrationsHandler
from integrations.mcp.handler import McpHandler
from integrations.upkeep import Upkeep as AccountUpkeep
from joule._accounts import accounts
from joule._sandboxes import Sandboxes, sandboxes
from joule.database.age import check_schema
from joule.database.engine import Database, WriteSession
from joule.database.walls import check_role, check_walls
from joule.governance.commands import Commands
from joule.governance.gate import Gate
from joule.governance.policy import Policy, shipped
from joule.identity import queries as people
from joule.identity.addresses import Addresses
from joule.identity.deployment import DEPLOYMENT
from joule.identity.handler import IdentityHandler
from joule.identity.lifetimes import Lifetimes
from joule.identity.passwords import Passwords
from joule.kernel.clock import Clock, SystemClock
from joule.kernel.errors import Misconfigured, Unavailable
from joule.kernel.handler import Handler
from joule.kernel.ids import OrgId, ProjectId
from joule.kernel.permit import Permits
from joule.kernel.settings import Settings
from joule.llm.handler import LanguageModelHandler, Prices
from joule.llm.providers.base import ChatModel
from joule.llm.providers.quiet import silence
from joule.llm.providers.registry import open_model
from joule.privacy.upkeep import Upkeep
from joule.replay.handler import ReplayHandler
from joule.tasks.dispatch import Queue, forget_jobs
from joule.tasks.handler import TasksHandler
from joule.tasks.lapsed import resume_lapsed
from joule.vault.configured import wrapper_of
from joule.vault.vault import Vault
from memory import queries as memories
from memory.handler import MemoryHandler
from sandbox.handler import SandboxHandler
from traces.announcing import Announcer
from traces.opening import Journals

if TYPE_CHECKING:
    from joule.agent.tools import Tool

PARTITIONS_CHECKED_EVERY = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class House:
    """One process's house, standing."""

    settings: Settings
    clock: Clock
    database: Database
    vault: Vault
    gate: Gate
    journals: Journals
    commands: Commands
    sandboxes: Sandboxes

    @property
    def reasons(self) -> Mapping[str, str]:
        """The policies' own words, by their ids."""
        return self.gate.policy.reasons

    async def work(self, *, stop: asyncio.Event, more_tools: Iterable["Tool"] = ()) -> None:
        """Perform tasks until `stop` is set. Outlives a database that goes away for a while.

        `more_tools` are those of rooms that were added.
        """
        from joule.agent.runner import Runner
        from joule.agent.tools import Toolbox
        from joule.tasks.worker import Worker, serving

        runner = Runner(
            gate=self.gate,
            journals=self.journals,
            settings=self.settings.task,
            toolbox=Toolbox(*more_tools),
            has_sandbox=self.sandboxes.available,
        )
        worker = Worker(
            database=self.database,
            vault=self.vault,
            clock=self.clock,
            dispatcher=Queue(),
            serving=serving(self.database, self.settings.task),
            run=runner.run,
            role_of=people.role_of,
            settings=self.settings.task,
        )
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            upkeep = (
                group.create_task(keep_partitions_ahead(self)),
                group.create_task(upkeep_of(self).keep_running()),
                group.create_task(account_upkeep_of(self).keep_running()),
                group.create_task(
                    self.sandboxes.upkeep(self.commands.perform, partial(_organisations, self)).keep_running()
                ),
            )
            await stop.wait()
            worker.stop()
            await working
            for each in upkeep:
                each.cancel()


@asynccontextmanager
async def open_house(
    settings: Settings,
    *,
    clock: Clock | None = None,
    model: ChatModel | None = None,
    more: Iterable[Handler] = (),
    more_policy: str = "",
) -> AsyncIterator[House]:
    """The house over the database the settings name. Refuses to stand on one that is open, old or unsafe.

    `model` replaces the configured one; `more` and `more_policy` add rooms with their policies: for tests, benchmarks
    and rooms of others. A room adds itself under the gate; there is no way to take anything out of it.
    """
    if settings.database.url is None:
        raise Misconfigured("no database is configured", advice="Start with `joule up`, or set JOULE_DATABASE_URL.")
    silence()  # whichever model is asked: the graph's own library would report whole runs to LangSmith
    now = clock or SystemClock()
    database = Database(settings.database.url.get_secret_value(), pool_size=settings.database.pool_size)
    outside = AsyncExitStack()
    try:
        await check_role(database)
        await check_schema(database)
        await check_walls(database)
        vault = Vault(
            wrapper=wrapper_of(settings),
            clock=now,
            environment=settings.environment,
            cache_seconds=settings.vault.cache_seconds,
        )
        connected = await outside.enter_async_context(
            accounts(settings.integrations, database=database, vault=vault, clock=now)
        )
        boxes = sandboxes(settings, database=database, vault=vault, clock=now)
        outside.push_async_callback(boxes.sessions.close)
        permits = Permits(clock=now)
        handlers: list[Handler] = [
            MemoryHandler(
                admission=permits,
                database=database,
                vault=vault,
                clock=now,
                max_file_bytes=settings.web.max_upload_mb * 1_000_000,
            ),
            IdentityHandler(
                admission=permits,
                database=database,
                vault=vault,
                clock=now,
                addresses=Addresses(database=database, vault=vault),
                passwords=Passwords.for_pool(settings.database.pool_size),
                lifetimes=Lifetimes.of(settings.web),
            ),
            LanguageModelHandler(
                admission=permits,
                database=database,
                vault=vault,
                clock=now,
                model=model or open_model(settings.llm),
                prices=Prices(input_micros=settings.llm.input_micros, output_micros=settings.llm.output_micros),
                silence_seconds=settings.llm.timeout_seconds,
            ),
            TasksHandler(
                admission=permits,
                clock=now,
                vault=vault,
                dispatcher=Queue(),
                known_project=_known_project,
                places=settings.task.per_organisation,
                retention=settings.trace_retention,
            ),
            ReplayHandler(
                admission=permits, database=database, vault=vault, policy=lambda: gate.policy, settings=settings.task
            ),
            IntegrationsHandler(
                admission=permits,
                database=database,
                vault=vault,
                clock=now,
                clients=connected.clients,
                endpoints=connected.endpoints,
                refreshing=connected.refreshing,
                broker=connected.broker,
                synced=connected.synced,
                demo_host=connected.demo_host,
            ),
            McpHandler(
                admission=permits,
                database=database,
                vault=vault,
                clock=now,
                network=connected.network,
                loopback=connected.loopback,
            ),
            SandboxHandler(
                admission=permits,
                vault=vault,
                clock=now,
                running=boxes.running,
                known_project=boxes.known_project,
            ),
            *more,
        ]
        actions = [action for handler in handlers for action in handler.methods()]
        policy = Policy(f"{shipped()}\n{more_policy}", actions=actions)
        gate = Gate(policy=policy, permits=permits, handlers=handlers, clock=now)
        announcer = Announcer(database)
        journals = Journals(database=database, vault=vault, clock=now, announce=announcer)
        async with database.unscoped() as session:  # the house may have stood empty for longer than was made ahead
            await journals.ensure_partitions(session, settings.trace_retention)
        async with announcer.running():
            yield House(
                settings=settings,
                clock=now,
                database=database,
                vault=vault,
                gate=gate,
                journals=journals,
                commands=Commands(gate=gate, journals=journals, retention=settings.trace_retention),
                sandboxes=boxes,
            )
    finally:
        await outside.aclose()
        await database.close()


async def keep_partitions_ahead(house: House) -> None:
    """Make the journal's partitions for the time ahead, now and every few hours, for as long as it is let.

    Outlives a database that goes away: partitions are made for days ahead, so a little later is soon enough.
    """
    while True:
        pause = PARTITIONS_CHECKED_EVERY
        try:
            async with house.database.unscoped() as session:
                await house.journals.ensure_partitions(session, house.settings.trace_retention)
        except Unavailable:
            pause = timedelta(minutes=1)
        await asyncio.sleep(pause.total_seconds())


def upkeep_of(house: House) -> Upkeep:
    """The daily sweep of this house."""
    queue = Queue()

    async def lapsed(session: WriteSession, org: OrgId, at: datetime) -> int:
        return await resume_lapsed(session, org, queue, at=at)

    return Upkeep(
        database=house.database,
        commands=house.commands,
        clock=house.clock,
        forget_jobs=forget_jobs,
        resume_lapsed=lapsed,
    )


async def _organisations(house: House) -> list[OrgId]:
    async with house.database.read(DEPLOYMENT) as session:
        return list(await people.organisations(session))


def account_upkeep_of(house: House) -> AccountUpkeep:
    """What renews tokens and tells providers of disconnections in this house."""
    return AccountUpkeep(
        database=house.database,
        clock=house.clock,
        perform=house.commands.perform,
        organisations=partial(_organisations, house),
        every=timedelta(seconds=house.settings.integrations.upkeep_seconds),
    )


async def _known_project(session: AsyncSession, org: OrgId, project: ProjectId) -> bool:
    # Whoever deletes a project waits for a conversation that is just being begun in it.
    return await memories.is_project(session, org, project, stays=True)
