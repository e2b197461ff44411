"""Destroys keys of the journal, and writes down that it did: the one place where content of the journal ends early.

The rows it leaves say which keys went, when and why, and nothing of what they sealed; a bundle for an auditor tells
from them what can no longer be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId, new_id
from joule.vault.vault import Vault
from traces import sealing
from traces.ending.tables import ErasureRow


class Cause(StrEnum):
    """Why content ended."""

    RETENTION = "retention"  # its days were over
    REQUEST = "request"  # somebody asked for the erasure of a task, a person or the organisation
    DELETION = "deletion"  # the conversation it belongs to was deleted


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """The keys of `subject` were destroyed: `task:<id>`, `person:<id>`, `day:<date>`, or "" for the organisation's all."""

    subject: str
    cause: Cause
    keys: int
    by: PersonId | None
    at: datetime
    decision: DecisionId


async def erase(
    session: WriteSession,
    vault: Vault,
    org: OrgId,
    subject: str,
    *,
    cause: Cause,
    by: PersonId | None,
    at: datetime,
    decision: DecisionId,
) -> int:
    """Destroy the keys of `subject` and write it down; how many there were. Does not ask for holds: its caller has."""
    keys = await (vault.shred(session, org, subject) if subject else vault.shred_organisation(session, org))
    session.add(
        ErasureRow(
            org_id=org, id=new_id(), subject=subject, cause=cause.value, keys=keys, by=by, at=at, decision_id=decision
        )
    )
    await session.flush()
    return keys


async def erasures_of(session: AsyncSession, org: OrgId, task: TaskId, subject: str) -> Sequence[Erasure]:
    """What was destroyed of the keys of a chain whose `key_subject` is `subject`, first first; empty: it can be read.

    A chain that is on hold past its day can still be read with its held keys, though its day has ended.
    """
    keys = sealing.read(subject)
    named = {"", keys.owner, keys.day, f"task:{task}"}
    rows = await session.scalars(
        select(ErasureRow)
        .where(col(ErasureRow.org_id) == org, or_(*(col(ErasureRow.subject) == each for each in named)))
        .order_by(col(ErasureRow.at), col(ErasureRow.id))
    )
    return [_told(row) for row in rows]


async def erased_since(session: AsyncSession, org: OrgId, *, limit: int, before: UUID | None = None) -> list[Erasure]:
    """The newest erasures of an organisation, newest first."""
    chosen = select(ErasureRow).where(col(ErasureRow.org_id) == org)
    if before is not None:
        chosen = chosen.where(col(ErasureRow.id) < before)
    rows = await session.scalars(chosen.order_by(col(ErasureRow.id).desc()).limit(limit))
    return [_told(row) for row in rows]


def _told(row: ErasureRow) -> Erasure:
    return Erasure(
        subject=row.subject,
        cause=Cause(row.cause),
        keys=row.keys,
        by=None if row.by is None else PersonId(row.by),
        at=row.at,
        decision=DecisionId(row.decision_id),
    )
