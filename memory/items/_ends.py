"""Ends items that nobody ends by hand: at their date, unanswered, and when what they were made from is erased."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, delete, select
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId
from memory.items import _sources
from memory.items._terms import LAPSES_AFTER
from memory.items.kinds import ItemState
from memory.items.results import SourceSpan
from memory.tables import MemoryItemRow


async def sweep(session: WriteSession, org: OrgId, now: datetime, *, most: int) -> int:
    """Erase at most `most` items past their date, and proposals nobody has answered."""
    item = MemoryItemRow
    lapsed = (col(item.state) == ItemState.PROPOSED.value) & (col(item.updated_at) <= now - LAPSES_AFTER)
    over = (col(item.expires_at) <= now) | lapsed
    due = select(col(item.id)).where(col(item.org_id) == org, over).limit(most)
    statement = delete(MemoryItemRow).where(col(MemoryItemRow.org_id) == org, col(MemoryItemRow.id).in_(due))
    return cast(CursorResult[Any], await session.execute(statement)).rowcount


async def follow(session: WriteSession, org: OrgId, spans: Sequence[SourceSpan], *, decision: UUID) -> int:
    """Erase what was made from these sources and stands on nothing else; how many items that were.

    What such an item had replaced is told again, as if it had never been replaced.
    """
    if not spans:
        return 0
    return await end(session, org, await _sources.fallen(session, org, spans), decision=decision)


async def end(session: WriteSession, org: OrgId, dead: Collection[UUID], *, decision: UUID) -> int:
    """Erase these items; how many. What one of them had replaced is told again."""
    await _tell_again(session, org, dead, decision)
    statement = delete(MemoryItemRow).where(col(MemoryItemRow.org_id) == org, col(MemoryItemRow.id).in_(dead))
    return cast(CursorResult[Any], await session.execute(statement)).rowcount if dead else 0


async def _tell_again(session: WriteSession, org: OrgId, dead: Collection[UUID], decision: UUID) -> None:
    if not dead:
        return
    rows = await session.scalars(
        select(MemoryItemRow).where(
            col(MemoryItemRow.org_id) == org,
            col(MemoryItemRow.id).in_(dead) | col(MemoryItemRow.superseded_by).in_(dead),
        )
    )
    found = {row.id: row for row in rows}
    for row in found.values():
        if row.id in dead or row.superseded_by is None:
            continue
        after: UUID | None = row.superseded_by
        while after in dead:
            after = found[after].superseded_by if after in found else None
        row.superseded_by, row.decision_id = after, decision
    await session.flush()
