"""How the export stands, for the doctor and the pages."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.ids import OrgId

_STATE = text(
    "SELECT e.tried_at, e.exported_at, e.failures, e.problem,"
    " (SELECT count(*) FROM trace_head h WHERE h.org_id = e.org_id AND h.number > e.cursor) AS waiting"
    " FROM trace_export e WHERE e.org_id = :org"
)


@dataclass(frozen=True, kw_only=True)
class ExportState:
    """How far the spans of one organisation have come."""

    waiting: int  # signed heads whose spans have not arrived
    tried_at: datetime | None
    exported_at: datetime | None
    failures: int  # in a row
    problem: str  # a closed word; empty when the last try went well


async def export_state(session: AsyncSession, org: OrgId) -> ExportState | None:
    """None where nothing was ever exported."""
    row = (await session.execute(_STATE, {"org": org})).one_or_none()
    if row is None:
        return None
    return ExportState(
        waiting=row.waiting,
        tried_at=row.tried_at,
        exported_at=row.exported_at,
        failures=row.failures,
        problem=row.problem or "",
    )
