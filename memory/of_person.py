"""Erases what one person had remembered; with `files` also what they brought in. Runs inside the action that erases them.

A file of which somebody else wrote a version stays with those versions.
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import ReadSession, WriteSession
from joule.kernel.ids import OrgId, PersonId
from joule.kernel.permit import Permit
from joule.vault.keys import Keyring
from memory import gone
from memory._files import name_of
from memory.entries.tables import MemoryEntryRow
from memory.following import follow
from memory.items import _ends
from memory.items._recalling import text_of
from memory.knowledge import erasing
from memory.knowledge.tables import DocumentRow
from memory.tables import FileVersionRow, MemoryItemRow, ProjectFileRow


async def erase(
    session: WriteSession, permit: Permit, org: OrgId, person: PersonId, *, files: bool
) -> Mapping[str, int]:
    """Erase them; how many, by word."""
    items = list(
        await session.scalars(
            select(col(MemoryItemRow.id))
            .where(col(MemoryItemRow.org_id) == org, col(MemoryItemRow.author) == person)
            .order_by(col(MemoryItemRow.id))
            .with_for_update()
        )
    )
    told = {
        "remembered": await _ends.end(session, org, items, decision=permit.decision),
        "entries": await _deleted(session, MemoryEntryRow, org, person),
    }
    if not files:
        return told
    documents = list(
        await session.scalars(
            select(col(DocumentRow.id)).where(col(DocumentRow.org_id) == org, col(DocumentRow.author) == person)
        )
    )
    sources = [f"document:{each}" for each in documents]
    await gone.bury(session, org, sources, at=permit.issued_at, decision=permit.decision)
    for each in documents:
        await erasing.erase(session, permit, org, each)
    await follow(session, permit, org, sources)
    versions = await _versions(session, permit, org, person)
    return {**told, "documents": len(documents), "file_versions": versions}


async def brought_in(session: AsyncSession, org: OrgId, person: PersonId) -> int:
    """How many files and documents a person brought in: what stays unless it is erased too."""
    found = 0
    for statement in (
        select(func.count(func.distinct(FileVersionRow.file_id))).where(
            col(FileVersionRow.org_id) == org, col(FileVersionRow.author) == person
        ),
        select(func.count())
        .select_from(DocumentRow)
        .where(col(DocumentRow.org_id) == org, col(DocumentRow.author) == person),
    ):
        found += await session.scalar(statement) or 0
    return found


async def _versions(session: WriteSession, permit: Permit, org: OrgId, person: PersonId) -> int:
    version = FileVersionRow
    theirs = (col(version.org_id) == org, col(version.author) == person)
    files = list(await session.scalars(select(col(version.file_id)).where(*theirs).distinct()))
    if not files:
        return 0
    rows = (
        await session.scalars(
            select(ProjectFileRow)
            .where(col(ProjectFileRow.org_id) == org, col(ProjectFileRow.id).in_(files))
            .order_by(col(ProjectFileRow.id))
            .with_for_update()
        )
    ).all()
    erased = cast(CursorResult[Any], await session.execute(delete(version).where(*theirs))).rowcount
    left = await session.execute(
        select(col(version.file_id), func.max(version.version))
        .where(col(version.org_id) == org, col(version.file_id).in_(files))
        .group_by(col(version.file_id))
    )
    newest = dict(left.tuples().all())
    whole = []
    for row in rows:
        if row.id in newest:
            row.newest, row.decision_id = newest[row.id], permit.decision
        else:
            whole.append(f"file:{row.id}")
            await session.delete(row)
    await session.flush()
    await follow(session, permit, org, whole)
    return erased


async def _deleted(session: WriteSession, table: Any, org: OrgId, person: PersonId) -> int:
    found = await session.execute(delete(table).where(col(table.org_id) == org, col(table.author) == person))
    return cast(CursorResult[Any], found).rowcount


async def tell(session: ReadSession, keyring: Keyring, org: OrgId, person: PersonId) -> dict[str, list[dict[str, Any]]]:
    """What they had remembered and the files and documents they brought in, by name; the bytes are in the project."""
    items = await session.scalars(
        select(MemoryItemRow)
        .where(col(MemoryItemRow.org_id) == org, col(MemoryItemRow.author) == person)
        .order_by(col(MemoryItemRow.id))
    )
    files = await session.scalars(
        select(ProjectFileRow)
        .where(
            col(ProjectFileRow.org_id) == org,
            col(ProjectFileRow.id).in_(
                select(col(FileVersionRow.file_id)).where(
                    col(FileVersionRow.org_id) == org, col(FileVersionRow.author) == person
                )
            ),
        )
        .order_by(col(ProjectFileRow.id))
    )
    documents = await session.scalars(
        select(DocumentRow)
        .where(col(DocumentRow.org_id) == org, col(DocumentRow.author) == person)
        .order_by(col(DocumentRow.id))
    )
    return {
        "remembered": [
            {"item": str(each.id), "at": each.created_at.isoformat(), "text": text_of(each, keyring)} for each in items
        ],
        "files": [
            {"file": str(each.id), "project": str(each.project_id), "name": name_of(each, keyring)} for each in files
        ],
        "documents": [
            {
                "document": str(each.id),
                "project": str(each.project_id),
                "title": keyring.open_text(each.title, row=each.id, field="document.title", generation=each.generation),
            }
            for each in documents
        ],
    }
