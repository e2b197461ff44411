"""Every room's handler, each given what it uses. Nothing else in the house names a handler."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from integrations.care.handler import CareHandler
from integrations.handler import IntegrationsHandler
from integrations.mcp.handler import McpHandler
from integrations.revoking import Revoking
from joule.assembly.accounts import Accounts
from joule.assembly.embedding import Embedding
from joule.assembly.memories import FOLLOWERS, known_project, names_of, screening
from joule.assembly.privacy import rooms
from joule.assembly.reading import OnRecord
from joule.assembly.sandboxes import Sandboxes
from joule.database.engine import Database
from joule.governance.policy import Policy
from joule.governance.rules.handler import RulesHandler
from joule.governance.rules.rulebook import Rulebook
from joule.identity.addresses import Addresses
from joule.identity.handler import IdentityHandler
from joule.identity.lifetimes import Lifetimes
from joule.identity.passwords import Passwords
from joule.kernel.clock import Clock
from joule.kernel.handler import Handler
from joule.kernel.permit import Permits
from joule.kernel.settings import Settings
from joule.llm.handler import LanguageModelHandler
from joule.llm.prices import Prices
from joule.llm.providers.base import ChatModel
from joule.privacy.handler import PrivacyHandler
from joule.privacy.parts import Rooms
from joule.replay.handler import ReplayHandler
from joule.tasks.dispatch import Queue
from joule.tasks.handler import TasksHandler
from joule.tasks.lacking import WaitingTasks
from joule.tasks.threads import in_project, thread_of
from joule.vault.vault import Vault
from memory.entries.handler import EntriesHandler
from memory.handler import MemoryHandler
from memory.items.handler import ItemsHandler
from memory.knowledge.handler import KnowledgeHandler
from memory.knowledge.reading.parse import Reader
from sandbox.egress.handler import EgressHandler
from sandbox.handler import SandboxHandler
from traces.grants.handler import GrantsHandler
from traces.otel.exporting import Exporting
from traces.otel.handler import ExportHandler
from traces.proof.handler import ProofHandler
from traces.proof.proofs import Proofs


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the handlers of one house share."""

    settings: Settings
    database: Database
    vault: Vault
    clock: Clock
    permits: Permits
    model: ChatModel
    accounts: Accounts
    embedding: Embedding
    sandboxes: Sandboxes
    proofs: Proofs
    exporting: Exporting
    policy: Callable[[], Policy]  # those Joule comes with; asked at each use
    rulebook: Rulebook  # those that organisations have of their own

    @cached_property
    def waiting(self) -> WaitingTasks:
        """The tasks that wait for a permission of a connected account."""
        return WaitingTasks(vault=self.vault, clock=self.clock, dispatcher=Queue())

    @cached_property
    def revoking(self) -> Revoking:
        """What ends connections."""
        return Revoking(
            database=self.database,
            vault=self.vault,
            clock=self.clock,
            endpoints=self.accounts.endpoints,
            synced=self.accounts.synced,
            waiting=self.waiting,
        )

    @cached_property
    def rooms(self) -> Rooms:
        """What each room erases and tells of people."""
        return rooms(vault=self.vault, clock=self.clock, store=self.sandboxes.store, revoking=self.revoking)


def handlers(parts: Parts) -> list[Handler]:
    """The handlers of all rooms that come with Joule."""
    settings, database, vault, clock = parts.settings, parts.database, parts.vault, parts.clock
    connected, waiting = parts.accounts, parts.waiting
    return [
        MemoryHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            max_file_bytes=settings.web.max_upload_mb * 1_000_000,
            people=names_of(vault),
        ),
        ItemsHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            people=names_of(vault),
            thread_of=thread_of,
            in_project=in_project,
        ),
        KnowledgeHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            reader=Reader(),
            embedder=parts.embedding.embedder,
            max_document_bytes=settings.web.max_upload_mb * 1_000_000,
            people=names_of(vault),
            followers=FOLLOWERS,
        ),
        EntriesHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            people=names_of(vault),
            thread_of=thread_of,
        ),
        IdentityHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            addresses=Addresses(database=database, vault=vault),
            passwords=Passwords.for_pool(settings.database.pool_size),
            lifetimes=Lifetimes.of(settings.web),
        ),
        LanguageModelHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            model=parts.model,
            prices=Prices(input_micros=settings.llm.input_micros, output_micros=settings.llm.output_micros),
            embeddings=parts.embedding.provided,
            embedding_prices=parts.embedding.prices,
            silence_seconds=settings.llm.timeout_seconds,
        ),
        TasksHandler(
            admission=parts.permits,
            clock=clock,
            vault=vault,
            dispatcher=Queue(),
            known_project=known_project,
            screening=screening(vault),
            places=settings.task.per_organisation,
            retention=settings.trace_retention,
            followers=FOLLOWERS,
        ),
        ReplayHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            policy=parts.policy,
            rulebook=parts.rulebook,
            settings=settings.task,
            may_read=OnRecord(clock=clock),
        ),
        RulesHandler(admission=parts.permits, vault=vault, clock=clock, policy=parts.policy),
        IntegrationsHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            clients=connected.clients,
            endpoints=connected.endpoints,
            refreshing=connected.refreshing,
            broker=connected.broker,
            connectors=connected.connectors,
            synced=connected.synced,
            questions=waiting,
            demo_host=connected.demo_host,
        ),
        CareHandler(
            admission=parts.permits, vault=vault, clock=clock, looking=connected.looking, naming=connected.naming
        ),
        McpHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            network=connected.network,
            refreshing=connected.refreshing,
            endpoints=connected.served,
            revoking=parts.revoking,
            loopback=connected.loopback,
        ),
        PrivacyHandler(
            admission=parts.permits,
            database=database,
            vault=vault,
            clock=clock,
            signing=parts.proofs.signing,
            rooms=parts.rooms,
            retention=settings.trace_retention,
        ),
        SandboxHandler(
            admission=parts.permits,
            vault=vault,
            clock=clock,
            running=parts.sandboxes.running,
            known_project=parts.sandboxes.known_project,
        ),
        GrantsHandler(admission=parts.permits, vault=vault, clock=clock),
        ProofHandler(
            admission=parts.permits,
            bundles=parts.proofs.bundles,
            signing=parts.proofs.signing,
            delivery=parts.proofs.delivery,
        ),
        ExportHandler(admission=parts.permits, exporting=parts.exporting),
        EgressHandler(admission=parts.permits, vault=vault, clock=clock, passing=parts.sandboxes.passing),
    ]
