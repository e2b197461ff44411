"""What workers look after beside tasks: partitions, the daily sweep, connected accounts, documents, sandboxes.

Only the house and tests ask for these.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from integrations.upkeep import Upkeep as AccountUpkeep
from joule.database.engine import WriteSession
from joule.identity import queries as people
from joule.identity.deployment import DEPLOYMENT
from joule.kernel.errors import Unavailable
from joule.kernel.ids import OrgId
from joule.kernel.principal import Principal, Role, Via
from joule.privacy.sweeping import JournalSweep
from joule.privacy.upkeep import Upkeep
from joule.replay.upkeep import Upkeep as ReportUpkeep
from joule.tasks.dispatch import Queue, forget_jobs
from joule.tasks.lapsed import resume_lapsed
from memory.knowledge.upkeep import Upkeep as DocumentUpkeep
from sandbox.upkeep import Upkeep as SandboxUpkeep
from traces.ending import partitions
from traces.otel.actions import ExportSpans
from traces.otel.results import Exported
from traces.otel.upkeep import Upkeep as ExportUpkeep
from traces.proof.actions import DeliverHeads
from traces.proof.results import Delivered
from traces.proof.upkeep import Upkeep as ProofUpkeep

if TYPE_CHECKING:
    from joule.assembly import House

log = logging.getLogger("joule.upkeep")

PARTITIONS_CHECKED_EVERY = timedelta(hours=6)


async def keep_partitions_ahead(house: "House") -> None:
    """Make the journal's partitions for the time ahead, now and every few hours, for as long as it is let.

    Says so in the log, days before a day comes that cannot be written to. Outlives a database that goes away: partitions are made for days ahead, so a little later is soon enough.
    """
    while True:
        pause = PARTITIONS_CHECKED_EVERY
        try:
            async with house.database.unscoped() as session:
                now, default = house.clock.now(), house.settings.trace_retention
                await partitions.ensure_all(session, default=default, now=now)
                short = [each for each in await partitions.ahead(session, now=now) if not each.is_enough]
            for each in short:
                log.error(
                    "the journal's partitions of class %s end in %d days, and no more could be made: see docs/privacy.md",
                    each.retention,
                    each.days,
                )
        except Unavailable:
            pause = timedelta(minutes=1)
        await asyncio.sleep(pause.total_seconds())


def upkeep_of(house: "House") -> Upkeep:
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


def journal_sweep_of(house: "House") -> JournalSweep:
    """What ends the journal's days and partitions in this house."""
    return JournalSweep(
        database=house.database,
        vault=house.vault,
        commands=house.commands,
        clock=house.clock,
        organisations=_organisations(house),
        retention=house.settings.trace_retention,
    )


def account_upkeep_of(house: "House") -> AccountUpkeep:
    """What renews tokens and tells providers of disconnections in this house."""
    return AccountUpkeep(
        database=house.database,
        clock=house.clock,
        perform=house.commands.perform,
        organisations=_organisations(house),
        every=timedelta(seconds=house.settings.integrations.upkeep_seconds),
    )


def document_upkeep_of(house: "House") -> DocumentUpkeep:
    """What has documents read and vacuums after deleted ones in this house."""
    return DocumentUpkeep(
        database=house.database,
        clock=house.clock,
        perform=house.commands.perform,
        organisations=_organisations(house),
        model=house.embedding_model,
    )


def sandbox_upkeep_of(house: "House") -> SandboxUpkeep:
    """What ends sandboxes and artifacts whose time is over in this house."""
    return house.sandboxes.upkeep(house.commands.perform, _organisations(house))


def report_upkeep_of(house: "House") -> ReportUpkeep:
    """What deletes the reports of what-ifs whose time is over in this house."""
    return ReportUpkeep(
        database=house.database,
        clock=house.clock,
        perform=house.commands.perform,
        organisations=_organisations(house),
    )


def proof_upkeep_of(house: "House") -> ProofUpkeep:
    """What seals the journal and sends signed heads in this house; the deployment's own journal is sealed too."""
    organisations = _organisations(house)

    async def everywhere() -> Sequence[OrgId]:
        return [DEPLOYMENT, *await organisations()]

    async def deliver(org: OrgId, sink: str) -> Delivered:
        system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        return await house.commands.perform(DeliverHeads(principal=system, sink=sink))

    return ProofUpkeep(
        database=house.database,
        clock=house.clock,
        sealing=house.proofs.sealing,
        delivery=house.proofs.delivery,
        deliver=deliver,
        organisations=everywhere,
        every=timedelta(seconds=house.settings.proof.seal_seconds),
    )


def export_upkeep_of(house: "House") -> ExportUpkeep:
    """What sends spans to the backend the deployment chose."""

    async def export(org: OrgId) -> Exported:
        system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        return await house.commands.perform(ExportSpans(principal=system))

    return ExportUpkeep(
        database=house.database,
        exporting=house.exporting,
        export=export,
        organisations=_organisations(house),
        every=timedelta(seconds=house.settings.otel.every_seconds),
    )


def _organisations(house: "House") -> Callable[[], Awaitable[Sequence[OrgId]]]:
    async def organisations() -> list[OrgId]:
        async with house.database.read(DEPLOYMENT) as session:
            return list(await people.organisations(session))

    return organisations
