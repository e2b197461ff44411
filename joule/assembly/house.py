"""One process's house: opened over a database, refused on an unsafe one, and at work until it is stopped.

Nothing is built at import. What only a worker needs (the agent's graph) is loaded only where a worker runs, so that
a web process stays small.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrations.broker.guard import Network
from joule.assembly import upkeep as upkeeps
from joule.assembly.accounts import accounts
from joule.assembly.embedding import embedding
from joule.assembly.exporting import exporting
from joule.assembly.handlers import Parts, handlers
from joule.assembly.memories import FOLLOWERS, erased
from joule.assembly.outside import outside
from joule.assembly.proving import loopback_of, proving
from joule.assembly.sandboxes import Sandboxes, sandboxes
from joule.database.age import check_schema
from joule.database.engine import Database
from joule.database.walls import check_role, check_walls
from joule.governance.commands import Commands
from joule.governance.gate import Gate
from joule.governance.policy import Policy, shipped
from joule.governance.rules.rulebook import Rulebook
from joule.identity import queries as people
from joule.kernel.clock import Clock, SystemClock
from joule.kernel.ending import end
from joule.kernel.errors import Misconfigured
from joule.kernel.handler import Handler
from joule.kernel.permit import Permits
from joule.kernel.settings import Settings
from joule.llm.providers.base import ChatModel, EmbeddingModel
from joule.llm.providers.quiet import silence
from joule.llm.providers.registry import open_model
from joule.privacy.parts import Rooms
from joule.tasks.dispatch import Queue
from joule.vault.configured import wrapper_of
from joule.vault.vault import Vault
from traces.announcing import Announcer
from traces.ending import partitions
from traces.opening import Journals
from traces.otel.exporting import Exporting
from traces.proof.proofs import Proofs

if TYPE_CHECKING:
    from joule.agent.tools import Tool


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
    embedding_model: str | None  # what documents are embedded with; None: they are found by words alone
    sandboxes: Sandboxes
    proofs: Proofs
    exporting: Exporting
    rooms: Rooms  # what is told of people

    @property
    def policy(self) -> Policy:
        """The policies Joule comes with."""
        return self.gate.policy

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

        silence()  # again, now that the graph's library is loaded
        runner = Runner(
            gate=self.gate,
            journals=self.journals,
            settings=self.settings.task,
            toolbox=Toolbox(*more_tools),
            code_behind=self.sandboxes.backends.behind,
        )
        worker = Worker(
            database=self.database,
            vault=self.vault,
            clock=self.clock,
            dispatcher=Queue(),
            serving=serving(self.database, self.settings.task),
            run=runner.run,
            role_of=people.role_of,
            erased=erased,
            settings=self.settings.task,
        )
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run())
            upkeep = (
                group.create_task(upkeeps.keep_partitions_ahead(self)),
                group.create_task(upkeeps.upkeep_of(self).keep_running()),
                group.create_task(upkeeps.journal_sweep_of(self).keep_running()),
                group.create_task(upkeeps.account_upkeep_of(self).keep_running()),
                group.create_task(upkeeps.document_upkeep_of(self).keep_running()),
                group.create_task(upkeeps.sandbox_upkeep_of(self).keep_running()),
                group.create_task(upkeeps.proof_upkeep_of(self).keep_running()),
                group.create_task(upkeeps.export_upkeep_of(self).keep_running()),
                group.create_task(upkeeps.report_upkeep_of(self).keep_running()),
            )
            await stop.wait()
            worker.stop()
            await working
            await end(*upkeep)


@asynccontextmanager
async def open_house(
    settings: Settings,
    *,
    clock: Clock | None = None,
    model: ChatModel | None = None,
    embeddings: EmbeddingModel | None = None,
    more: Iterable[Handler] = (),
    more_policy: str = "",
) -> AsyncIterator[House]:
    """The house over the database the settings name. Refuses to stand on one that is open, old or unsafe.

    `model` and `embeddings` replace the configured ones; `more` and `more_policy` add rooms with their policies: for
    tests, benchmarks and rooms of others. A room adds itself under the gate; there is no way to take anything out of it.
    """
    if settings.database.url is None:
        raise Misconfigured("no database is configured", advice="Start with `joule up`, or set JOULE_DATABASE_URL.")
    silence()  # whichever model is asked: the graph's own library would report whole runs to LangSmith
    now = clock or SystemClock()
    database = Database(settings.database.url.get_secret_value(), pool_size=settings.database.pool_size)
    closing = AsyncExitStack()
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
        connected = await closing.enter_async_context(
            accounts(settings.integrations, database=database, vault=vault, clock=now, followers=FOLLOWERS)
        )
        meaning = await closing.enter_async_context(
            embedding(settings.embedding, embeddings, perform=lambda action: commands.perform(action))
        )
        way_out = outside(settings.sandbox)
        closing.push_async_callback(way_out.close)
        boxes = sandboxes(
            settings,
            database=database,
            vault=vault,
            clock=now,
            carrier=way_out,
            perform=lambda action: commands.perform(action),
        )
        closing.push_async_callback(boxes.sessions.close)
        permits, rulebook = Permits(clock=now), Rulebook(database=database, vault=vault)
        webhooks = Network(loopback=loopback_of(settings.proof))
        closing.push_async_callback(webhooks.close)
        proof = proving(settings.proof, database=database, vault=vault, clock=now, network=webhooks)
        parts = Parts(
            settings=settings,
            database=database,
            vault=vault,
            clock=now,
            permits=permits,
            model=model or open_model(settings.llm),
            accounts=connected,
            embedding=meaning,
            sandboxes=boxes,
            proofs=proof,
            exporting=exporting(settings.otel, database=database, vault=vault, clock=now),
            policy=lambda: gate.policy,
            rulebook=rulebook,
        )
        rooms = [*handlers(parts), *more]
        actions = [action for handler in rooms for action in handler.methods()]
        policy = Policy(f"{shipped()}\n{more_policy}", actions=actions)
        gate = Gate(policy=policy, permits=permits, handlers=rooms, clock=now, rulebook=rulebook)
        announcer = Announcer(database)
        journals = Journals(database=database, vault=vault, clock=now, announce=announcer)
        commands = Commands(gate=gate, journals=journals, retention=settings.trace_retention)
        async with database.unscoped() as session:  # the house may have stood empty for longer than was made ahead
            await partitions.ensure_all(session, default=settings.trace_retention, now=now.now())
        async with announcer.running():
            yield House(
                settings=settings,
                clock=now,
                database=database,
                vault=vault,
                gate=gate,
                journals=journals,
                commands=commands,
                embedding_model=None if meaning.embedder is None else meaning.embedder.model,
                sandboxes=boxes,
                proofs=proof,
                exporting=parts.exporting,
                rooms=parts.rooms,
            )
    finally:
        await closing.aclose()
        await database.close()
