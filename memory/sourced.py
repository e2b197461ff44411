"""Finds and erases what came from one source, such as `connection:<id>`: every file and item whose label names it.

For disconnecting an account with all that was kept from it. Runs inside the action that disconnects, whose decision and
journal rows cover it.
"""

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId
from memory.tables import FileVersionRow, MemoryItemRow, ProjectFileRow


@dataclass(frozen=True, kw_only=True)
class FromSource:
    """How much there is, or was."""

    files: int = 0
    items: int = 0


async def count(session: AsyncSession, org: OrgId, source: str) -> FromSource:
    """Files with any version from `source`, deleted ones that could come back included, and items."""
    files = await session.scalar(select(func.count()).select_from(_files(org, source).subquery()))
    items = await session.scalar(
        select(func.count()).where(col(MemoryItemRow.org_id) == org, _names(MemoryItemRow.sources, source))
    )
    return FromSource(files=files or 0, items=items or 0)


async def erase(session: WriteSession, org: OrgId, source: str) -> FromSource:
    """Erase them for good, with every version."""
    files = list(await session.scalars(_files(org, source)))
    await session.execute(
        delete(FileVersionRow).where(col(FileVersionRow.org_id) == org, col(FileVersionRow.file_id).in_(files))
    )
    await session.execute(
        delete(ProjectFileRow).where(col(ProjectFileRow.org_id) == org, col(ProjectFileRow.id).in_(files))
    )
    items = await session.execute(
        delete(MemoryItemRow).where(col(MemoryItemRow.org_id) == org, _names(MemoryItemRow.sources, source))
    )
    return FromSource(files=len(files), items=cast(CursorResult[Any], items).rowcount)


def _files(org: OrgId, source: str) -> Any:
    return (
        select(col(FileVersionRow.file_id))
        .where(col(FileVersionRow.org_id) == org, _names(FileVersionRow.sources, source))
        .distinct()
    )


def _names(sources: Any, source: str) -> Any:
    return col(sources).contains([source])
