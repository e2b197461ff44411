"""Forgets the seals of days whose time is over, in bounded batches. Of each of those days the last head stays."""

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_FORGET = text("SELECT trace_forget_seals(:retention, :before, :many)")


async def forget_seals(session: AsyncSession, *, retention: str, before: date, many: int) -> int:
    """Delete up to `many` seals of a class, of days before `before`, whose chains have gone; how many went.

    The database refuses days that may still be needed. `session` is of the organisation they belong to.
    """
    return int(await session.scalar(_FORGET, {"retention": retention, "before": before, "many": many}) or 0)
