"""Erases documents with every version, piece, search entry and vector of them, and says that they are gone for good.

Runs inside the action that erases, whose decision and journal rows cover it. What was deleted stands on the server's
pages until they are vacuumed: a signal asks the workers for that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Delete, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.database.signals import notify
from joule.kernel.ids import OrgId, ProjectId
from joule.kernel.permit import Permit
from memory import gone
from memory.knowledge._rows import tombstone
from memory.knowledge.tables import ChunkRow, ChunkVectorRow, DocumentRow, DocumentVersionRow

FORGOTTEN = "forgotten"  # the channel of signals: there are pages to vacuum


@dataclass(frozen=True, kw_only=True)
class ErasedDocuments:
    """Rows really removed."""

    documents: int = 0
    versions: int = 0
    chunks: int = 0
    vectors: int = 0


async def erase(session: WriteSession, permit: Permit, org: OrgId, document: UUID) -> ErasedDocuments:
    """Erase one. Whoever is keeping a piece of it is waited for, and what they kept is erased too."""
    sources = [f"document:{document}"]
    key = await session.scalar(
        select(col(DocumentRow.external_key)).where(col(DocumentRow.org_id) == org, col(DocumentRow.id) == document)
    )
    if key is not None:
        sources.append(tombstone(key))
    await gone.bury(session, org, sources, at=permit.issued_at, decision=permit.decision)
    return await _erased(session, org, [document])


async def follow(session: WriteSession, permit: Permit, org: OrgId, sources: Sequence[str]) -> Mapping[str, int]:
    """Erase every document that names one of `sources` in its label: a `Follower`.

    What was made from these documents names the sources too, so that they need no tombstones of their own.
    """
    await gone.bury(session, org, sources, at=permit.issued_at, decision=permit.decision)
    erased = await _erased(session, org, await made_from(session, org, sources))
    return {"documents": erased.documents, "passages": erased.chunks} if erased.documents else {}


async def made_from(session: AsyncSession, org: OrgId, sources: Sequence[str]) -> list[UUID]:
    """The documents that name one of `sources` in their label. A person who quotes one names the document alone."""
    return await _ids(session, org, cast(Any, col(DocumentRow.sources)).overlap(list(sources)))


async def of_project(session: WriteSession, org: OrgId, project: ProjectId) -> ErasedDocuments:
    """Erase all of a project that is being deleted: nothing is kept in it afterwards, so nothing of it comes back."""
    return await _erased(session, org, await _ids(session, org, col(DocumentRow.project_id) == project))


async def _erased(session: WriteSession, org: OrgId, documents: Sequence[UUID]) -> ErasedDocuments:
    if not documents:
        return ErasedDocuments()
    mine = (col(DocumentRow.org_id) == org, col(DocumentRow.id).in_(documents))
    await session.execute(select(col(DocumentRow.id)).where(*mine).order_by(col(DocumentRow.id)).with_for_update())
    pieces = (col(ChunkRow.org_id) == org, col(ChunkRow.document_id).in_(documents))
    vectors = await session.scalar(
        select(func.count())
        .select_from(ChunkVectorRow)
        .where(
            col(ChunkVectorRow.org_id) == org,
            col(ChunkVectorRow.chunk_id).in_(select(col(ChunkRow.id)).where(*pieces)),
        )
    )
    chunks = await _gone(session, delete(ChunkRow).where(*pieces))
    versions = await _gone(
        session,
        delete(DocumentVersionRow).where(
            col(DocumentVersionRow.org_id) == org, col(DocumentVersionRow.document_id).in_(documents)
        ),
    )
    rows = await _gone(session, delete(DocumentRow).where(*mine))
    await notify(session, FORGOTTEN, str(org))
    return ErasedDocuments(documents=rows, versions=versions, chunks=chunks, vectors=vectors or 0)


async def _ids(session: AsyncSession, org: OrgId, which: Any) -> list[UUID]:
    return list(await session.scalars(select(col(DocumentRow.id)).where(col(DocumentRow.org_id) == org, which)))


async def _gone(session: WriteSession, statement: Delete) -> int:
    return cast(CursorResult[Any], await session.execute(statement)).rowcount
