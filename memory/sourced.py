"""Finds and erases what came from one source, such as `connection:<id>`: versions of files and remembered items.

For disconnecting an account, or deleting a document, with all that was made from it. Runs inside the action that does
so, whose decision and journal rows cover it.
"""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId
from memory.items.tables import ItemSourceRow
from memory.tables import FileVersionRow, ProjectFileRow


@dataclass(frozen=True, kw_only=True)
class FromSource:
    """How much there is."""

    files: int = 0
    items: int = 0


async def count(session: AsyncSession, org: OrgId, source: str) -> FromSource:
    """Files with any version from `source`, deleted ones that could come back included, and items."""
    kind, _, identifier = source.partition(":")
    files = await session.scalar(select(func.count(func.distinct(FileVersionRow.file_id))).where(*_named(org, source)))
    items = await session.scalar(
        select(func.count(func.distinct(ItemSourceRow.item_id))).where(
            col(ItemSourceRow.org_id) == org,
            col(ItemSourceRow.kind) == kind,
            col(ItemSourceRow.source_id) == UUID(identifier),
        )
    )
    return FromSource(files=files or 0, items=items or 0)


async def erase_versions(session: WriteSession, org: OrgId, source: str, *, decision: UUID) -> int:
    """Erase every version of a file that was made from `source`, for good; how many.

    A file of which nothing is left goes as well. Of any other the newest version that is left is the newest again.
    """
    version = FileVersionRow
    files = list(await session.scalars(select(col(version.file_id)).where(*_named(org, source)).distinct()))
    if not files:
        return 0
    gone = await session.execute(delete(version).where(*_named(org, source)))
    left = await session.execute(
        select(col(version.file_id), func.max(version.version))
        .where(col(version.org_id) == org, col(version.file_id).in_(files))
        .group_by(col(version.file_id))
    )
    newest = dict(left.tuples().all())
    rows = await session.scalars(
        select(ProjectFileRow)
        .where(col(ProjectFileRow.org_id) == org, col(ProjectFileRow.id).in_(files))
        .order_by(col(ProjectFileRow.id))
        .with_for_update()
    )
    for row in rows:
        if row.id in newest:
            row.newest, row.decision_id = newest[row.id], decision
        else:
            await session.delete(row)
    await session.flush()
    return cast(CursorResult[Any], gone).rowcount


def _named(org: OrgId, source: str) -> tuple[Any, ...]:
    return col(FileVersionRow.org_id) == org, col(FileVersionRow.sources).contains([source])
