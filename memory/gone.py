"""Keeps what was erased erased: tombstones of sources, and the locks that let no late write slip past one.

A source is named as labels name it, `kind:id`. Whoever erases a source `bury`s it first and deletes what was made from
it afterwards; whoever keeps something made from sources asks `must_stand` first, in the transaction that keeps it. One of the
two waits for the other: either the erasing finds the row, or the row is refused. Ask before locking anything else.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Text
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId
from memory.errors import SourceGone
from memory.knowledge.tables import GoneRow

# In one order, so that two who want several never wait for each other. Many sources share a lock: a connection may have
# brought more documents than the server has locks, and all that sharing costs is a little waiting.
_LOCK = text(
    "SELECT pg_advisory_xact_lock(place) FROM ("
    "SELECT DISTINCT hashtextextended('gone:' || :org || (hashtext(source) & 255)::text, 0) AS place"
    " FROM unnest(:sources) AS source ORDER BY 1) AS places"
).bindparams(bindparam("sources", type_=ARRAY(Text)))
_SHARE = text(_LOCK.text.replace("pg_advisory_xact_lock", "pg_advisory_xact_lock_shared")).bindparams(
    bindparam("sources", type_=ARRAY(Text))
)
_BURY = text(
    "INSERT INTO gone (org_id, source, at, decision_id) SELECT :org, source, :at, :decision FROM unnest(:sources) AS source"
    " ON CONFLICT DO NOTHING"
).bindparams(bindparam("sources", type_=ARRAY(Text)))


async def must_stand(session: WriteSession, org: OrgId, sources: Iterable[str]) -> None:
    """Raise `SourceGone` when one of these was erased; until the transaction ends none of them can be."""
    named = sorted(set(sources))
    if not named:
        return
    await session.execute(_SHARE, {"org": str(org), "sources": named})
    if await among(session, org, named):
        raise SourceGone


async def among(session: AsyncSession, org: OrgId, sources: Iterable[str]) -> frozenset[str]:
    """Which of these were erased."""
    found = await session.scalars(
        select(col(GoneRow.source)).where(
            col(GoneRow.org_id) == org, col(GoneRow.source) == any_(bindparam("sources", list(sources), ARRAY(Text)))
        )
    )
    return frozenset(found)


async def bury(session: WriteSession, org: OrgId, sources: Sequence[str], *, at: datetime, decision: UUID) -> None:
    """Say that these are gone for good, having waited for whoever is keeping something made from them."""
    named = sorted(set(sources))
    if not named:
        return
    await session.execute(_LOCK, {"org": str(org), "sources": named})
    await session.execute(_BURY, {"org": org, "at": at, "decision": decision, "sources": named})


async def last_of(session: AsyncSession, org: OrgId, prefix: str) -> datetime | None:
    """When the newest source whose name starts with `prefix` was buried; a prefix holds no sign that LIKE knows."""
    found: datetime | None = await session.scalar(
        select(func.max(col(GoneRow.at))).where(
            col(GoneRow.org_id) == org, col(GoneRow.source).startswith(prefix, autoescape=True)
        )
    )
    return found
