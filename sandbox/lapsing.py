"""Writes down that sessions are over, and forgets those that have long been. What is over stays over."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import DecisionId, OrgId
from sandbox.tables import SandboxSessionRow

_AT_ONCE = 200  # sessions that one round ends
_ON_RECORD_FOR = timedelta(days=90)  # that a session was there, after its end


def end(row: SandboxSessionRow, *, cause: str, at: datetime, decision: DecisionId) -> None:
    """Write down that a session is over; what is over stays over."""
    if row.state == "warm":
        row.state, row.cause, row.ended_at, row.decision_id = "ended", cause, at, decision


async def found(session: WriteSession, org: OrgId, name: UUID) -> SandboxSessionRow | None:
    """The row of a session, locked, whether or not it is over."""
    row: SandboxSessionRow | None = await session.scalar(
        select(SandboxSessionRow)
        .where(col(SandboxSessionRow.org_id) == org, col(SandboxSessionRow.id) == name)
        .with_for_update()
    )
    return row


async def end_due(session: WriteSession, org: OrgId, *, now: datetime, decision: DecisionId) -> int:
    """Write down that sessions are over whose time is, and forget those that have long been. How many were ended."""
    of_org = col(SandboxSessionRow.org_id) == org
    due = await session.scalars(
        select(SandboxSessionRow)
        .where(of_org, col(SandboxSessionRow.state) == "warm", col(SandboxSessionRow.expires_at) <= now)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = list(due)
    for row in rows:
        end(row, cause="expired", at=now, decision=decision)
    await session.flush()
    await session.execute(
        delete(SandboxSessionRow).where(of_org, col(SandboxSessionRow.ended_at) < now - _ON_RECORD_FOR)
    )
    return len(rows)
