"""Says whether a grant may be renewed, and how long one that is due can wait: accounts nobody uses keep no provider busy."""

from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations import grants
from integrations.errors import NotAllowedHere
from integrations.rules import rule_of
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.kernel.ids import OrgId

LOOKED_AT_AGAIN = timedelta(days=1)


async def put_off(session: AsyncSession, row: OAuthGrantRow, *, now: datetime) -> datetime | None:
    """Until when a grant can wait that is unused, or not allowed any more; None: it is to be renewed now.

    Short-lived tokens are renewed when they are used, or to keep the grant warm where a provider lets idle ones lapse.
    """
    if not await _is_allowed(session, row):
        return now + LOOKED_AT_AGAIN
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


async def check_allowed(session: AsyncSession, row: OAuthGrantRow) -> None:
    """Raises `NotAllowedHere` when the organisation allows none of what goes through the grant: it is not kept alive."""
    if not await _is_allowed(session, row):
        raise NotAllowedHere(grants.title_of(row.provider))


async def _is_allowed(session: AsyncSession, row: OAuthGrantRow) -> bool:
    org = OrgId(row.org_id)
    query = select(ConnectionRow.provider).where(
        col(ConnectionRow.org_id) == org, col(ConnectionRow.grant_id) == row.id, col(ConnectionRow.status) == "active"
    )
    for name in (await session.execute(query)).scalars().all():
        known, rule = grants.provider_of(name), await rule_of(session, org, name)
        if rule.allowed if known is None else rule.lets_live(known, row.granted):
            return True
    return False
