"""What pages and the command line may read of heads and their delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.ids import OrgId

_NEWEST = text(
    "SELECT DISTINCT ON (retention, day) number, retention, day, size, root, at, note FROM trace_head"
    " WHERE org_id = :org ORDER BY retention, day DESC, size DESC"
)


@dataclass(frozen=True, kw_only=True)
class Head:
    """A signed head."""

    number: int
    retention: str
    day: date
    size: int
    root: str
    at: datetime
    note: str


async def newest_heads(session: AsyncSession, org: OrgId, *, limit: int = 60) -> Sequence[Head]:
    """The last head of each tree, newest first."""
    rows = (await session.execute(_NEWEST, {"org": org})).all()
    heads = [
        Head(
            number=row.number,
            retention=row.retention,
            day=row.day,
            size=row.size,
            root=bytes(row.root).hex(),
            at=row.at,
            note=row.note,
        )
        for row in rows
    ]
    return sorted(heads, key=lambda head: head.at, reverse=True)[:limit]
