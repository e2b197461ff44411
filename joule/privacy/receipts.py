"""Receipts of erasures: what went, what stayed and why, signed with the key of this installation.

A receipt holds ids, counts, closed words and times; it is kept for good, because it is what shows that something was
erased. What stays is told by a code here and in plain words on the page.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, new_id
from joule.privacy.tables import ReceiptRow
from traces.proof.notes import time_of
from traces.proof.signing import Signer

STAYS: Final[Mapping[str, str]] = {
    "steps": "The journal's list of steps: ids, times, names of tools and decisions, and no words. It goes with its"
    " retention class, and shows until then that nothing was slipped in or taken out.",
    "backups": "Backups made before: they hold wrapped keys until they end. Let them end within 30 days.",
    "providers": "What was sent to model providers and connected accounts: kept by them under their terms.",
    "others": "What other people wrote themselves, though it may be about the same thing or person.",
    "files": "Files and documents they brought into projects: they belong to the organisation.",
    "ids": "Their id, which names nobody any more, on rows that say who did something.",
    "pages": "Pages of the database that were freed: overwritten by a vacuum within the hour.",
    "artifacts": "Bytes of artifacts, sealed: taken out of the artifact store within minutes.",
    "held": "What is on legal hold: it goes when the hold is lifted.",
}


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One receipt. `kind`: retention, task, person or organisation. `note` is the signed text."""

    id: UUID
    kind: str
    subject: UUID | None
    at: datetime
    by: PersonId | None
    note: str

    @property
    def body(self) -> Mapping[str, Any]:
        """What the note says."""
        found: Mapping[str, Any] = json.loads(self.note.split("\n")[1])
        return found

    @property
    def went(self) -> Mapping[str, int]:
        """How many of each kind."""
        return dict(self.body["went"])

    @property
    def stays(self) -> Sequence[str]:
        """What is left and why, in plain words."""
        return [STAYS.get(code, code) for code in self.body["stays"]]


async def issue(
    session: WriteSession,
    signer: Signer,
    org: OrgId,
    *,
    kind: str,
    subject: UUID | None,
    went: Mapping[str, int],
    stays: Sequence[str],
    by: PersonId | None,
    at: datetime,
    decision: DecisionId,
) -> UUID:
    """Sign and keep a receipt, in the transaction that erases."""
    receipt = new_id()
    body: dict[str, object] = {
        "receipt": str(receipt),
        "kind": kind,
        "subject": None if subject is None else str(subject),
        "asked_by": None if by is None else str(by),
        "at": time_of(at),
        "decision": str(decision),
        "went": {name: count for name, count in went.items() if count},
        "stays": list(stays),
    }
    session.add(
        ReceiptRow(
            org_id=org,
            id=receipt,
            kind=kind,
            subject_id=subject,
            note=signer.state(org, "erasure", body),
            at=at,
            by=by,
            decision_id=decision,
        )
    )
    await session.flush()
    return receipt


async def listed(
    session: AsyncSession, org: OrgId, *, limit: int = 50, before: UUID | None = None
) -> Sequence[Receipt]:
    """The newest receipts, newest first."""
    chosen = select(ReceiptRow).where(col(ReceiptRow.org_id) == org)
    if before is not None:
        chosen = chosen.where(col(ReceiptRow.id) < before)
    rows = await session.scalars(chosen.order_by(col(ReceiptRow.id).desc()).limit(limit))
    return [_told(row) for row in rows]


async def find(session: AsyncSession, org: OrgId, receipt: UUID) -> Receipt:
    """Raises `NotFound`."""
    row = await session.get(ReceiptRow, (org, receipt))
    if row is None:
        raise NotFound("receipt")
    return _told(row)


async def last_asked_for(session: AsyncSession, org: OrgId) -> datetime | None:
    """When something was last erased before its time."""
    found: datetime | None = await session.scalar(
        select(func.max(col(ReceiptRow.at))).where(col(ReceiptRow.org_id) == org, col(ReceiptRow.kind) != "retention")
    )
    return found


def _told(row: ReceiptRow) -> Receipt:
    return Receipt(
        id=row.id,
        kind=row.kind,
        subject=row.subject_id,
        at=row.at,
        by=None if row.by is None else PersonId(row.by),
        note=row.note,
    )
