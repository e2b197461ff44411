"""What pages may read about remembered items: a signed-in person looking at their own organisation.

Every function takes a read session of the caller's organisation, and leaves out what a label keeps from `reader`.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, PersonId, ProjectId
from joule.kernel.label import Integrity, Label, Purpose, Training
from joule.vault.keys import Keyring
from memory.items import _recalling, _switches
from memory.items.kinds import DataClass, ItemState
from memory.items.results import RecalledItem
from memory.items.tables import TrainingConsentRow, TrainingExportRow


@dataclass(frozen=True, kw_only=True)
class ConsentView:
    """One consent to training that was ever given, and its end."""

    consent: UUID
    data_class: DataClass
    given_by: PersonId
    given_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: PersonId | None


@dataclass(frozen=True, kw_only=True)
class ExportView:
    """One export for training."""

    export: UUID
    project: ProjectId
    by: PersonId | None
    at: datetime
    items: int
    withheld: int
    data_classes: tuple[DataClass, ...]


async def list_items(
    session: ReadSession, keyring: Keyring, project: ProjectId, *, reader: PersonId | None, now: datetime
) -> tuple[RecalledItem, ...]:
    """All that is remembered, pinned first, then newest first; also what does not hold yet or no longer."""
    return await _recalling.all_of(session, keyring, project, reader, now)


async def list_proposals(
    session: ReadSession, keyring: Keyring, project: ProjectId, *, reader: PersonId | None, now: datetime
) -> tuple[RecalledItem, ...]:
    """What waits for somebody to agree, newest first. `contradicts` names the item each would take the place of."""
    return await _recalling.all_of(session, keyring, project, reader, now, state=ItemState.PROPOSED)


async def switched_off(session: ReadSession, org: OrgId, places: list[UUID]) -> frozenset[UUID]:
    """In which of these projects and conversations memory is switched off."""
    return await _switches.off(session, org, places)


async def list_consents(session: ReadSession, org: OrgId) -> tuple[ConsentView, ...]:
    """Every consent to training, newest first."""
    rows = await session.scalars(
        select(TrainingConsentRow)
        .where(col(TrainingConsentRow.org_id) == org)
        .order_by(col(TrainingConsentRow.given_at).desc(), col(TrainingConsentRow.id).desc())
    )
    return tuple(
        ConsentView(
            consent=row.id,
            data_class=DataClass(row.data_class),
            given_by=PersonId(row.person),
            given_at=row.given_at,
            withdrawn_at=row.withdrawn_at,
            withdrawn_by=None if row.withdrawn_by is None else PersonId(row.withdrawn_by),
        )
        for row in rows
    )


async def list_exports(session: ReadSession, org: OrgId) -> tuple[ExportView, ...]:
    """Every export for training, newest first."""
    rows = await session.scalars(
        select(TrainingExportRow)
        .where(col(TrainingExportRow.org_id) == org)
        .order_by(col(TrainingExportRow.at).desc(), col(TrainingExportRow.id).desc())
    )
    return tuple(
        ExportView(
            export=row.id,
            project=ProjectId(row.project_id),
            by=None if row.person is None else PersonId(row.person),
            at=row.at,
            items=row.items,
            withheld=row.withheld,
            data_classes=tuple(DataClass(word) for word in row.data_classes),
        )
        for row in rows
    )


async def standing(session: AsyncSession, org: OrgId) -> dict[DataClass, UUID]:
    """The consent that stands for each class that has one."""
    rows = await session.execute(
        select(col(TrainingConsentRow.data_class), col(TrainingConsentRow.id)).where(
            col(TrainingConsentRow.org_id) == org, col(TrainingConsentRow.withdrawn_at).is_(None)
        )
    )
    return {DataClass(word): consent for word, consent in rows.tuples()}


async def label_for_training(session: AsyncSession, org: OrgId) -> Label:
    """The label for asking for an export: training is allowed in it only while an owner's consent for memory stands."""
    consented = DataClass.MEMORY in await standing(session, org)
    return Label(
        integrity=Integrity.TRUSTED,
        training=Training.ALLOWED if consented else Training.DENIED,
        purposes=frozenset({Purpose.TRAIN}) if consented else frozenset(),
    )
