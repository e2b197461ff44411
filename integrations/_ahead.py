"""Says how long a grant that is due can wait, so that accounts nobody uses do not keep providers busy."""

from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations import grants
from integrations.tables import ConnectionRow, OAuthGrantRow

LOOKED_AT_AGAIN = timedelta(days=1)


async def put_off(session: AsyncSession, row: OAuthGrantRow, *, now: datetime) -> datetime | None:
    """Until when an unused grant can wait; None: it is to be renewed now.

    Short-lived tokens are renewed when they are used, or to keep the grant warm where a provider lets idle ones lapse.
    """
    if row.expires_at is None or row.expires_at - row.refreshed_at >= grants.SHORT_LIFE:
        return None
    query = select(func.max(col(ConnectionRow.used_at))).where(
        col(ConnectionRow.org_id) == row.org_id, col(ConnectionRow.grant_id) == row.id
    )
    used = (await session.execute(query)).scalar_one()
    if used is not None and used > row.refreshed_at:
        return None
    warm = grants.warm_at(grants.provider_of(row.provider), row.refreshed_at)
    if warm is not None and warm <= now:
        return None
    return min(filter(None, (warm, now + LOOKED_AT_AGAIN)))
