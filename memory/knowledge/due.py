"""Says which documents wait for a worker. Asked by the upkeep alone; opens nothing."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.kernel.ids import OrgId, ProjectId
from memory.knowledge._rows import newest_version
from memory.knowledge.states import DocumentState
from memory.knowledge.tables import DocumentRow, DocumentVersionRow

_UNDER_WAY = tuple(state.value for state in DocumentState if state.is_under_way)


async def to_index(
    session: AsyncSession, org: OrgId, *, now: datetime, but: Collection[UUID] = ()
) -> tuple[ProjectId, UUID] | None:
    """The document that has waited longest to be read, and that nobody is reading, with its project; none of `but`."""
    row = (
        await session.execute(
            select(col(DocumentRow.project_id), col(DocumentRow.id))
            .where(
                col(DocumentRow.org_id) == org,
                col(DocumentRow.state).in_(_UNDER_WAY),
                or_(col(DocumentRow.lease_until).is_(None), col(DocumentRow.lease_until) <= now),
                col(DocumentRow.id).not_in(list(but)),
            )
            .order_by(col(DocumentRow.updated_at), col(DocumentRow.id))
            .limit(1)
        )
    ).first()
    return None if row is None else (ProjectId(row[0]), row[1])


async def to_embed(session: AsyncSession, org: OrgId, model: str, *, most: int) -> list[tuple[ProjectId, UUID]]:
    """Documents whose pieces have no vectors of `model`, and whose bytes are there to be read again."""
    rows = await session.execute(
        select(col(DocumentRow.project_id), col(DocumentRow.id))
        .join(DocumentVersionRow, newest_version())
        .where(
            col(DocumentRow.org_id) == org,
            col(DocumentRow.state) == DocumentState.READY.value,
            col(DocumentVersionRow.content).is_not(None),
            col(DocumentVersionRow.embedding_model).is_distinct_from(model),
        )
        .order_by(col(DocumentRow.id))
        .limit(most)
    )
    return [(ProjectId(project), document) for project, document in rows]
