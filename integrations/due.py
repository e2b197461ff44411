"""Finds what connected accounts need done now: renewals, looks, names, and providers that are to be told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations.tables import OAuthGrantRow, RevocationRow
from joule.kernel.ids import OrgId

AT_ONCE = 200
_LIVING = ("active", "refresh_unknown")


async def grants(session: AsyncSession, org: OrgId, *, now: datetime) -> tuple[UUID, ...]:
    """Grants whose tokens should be renewed ahead of need."""
    return await _of(session, org, OAuthGrantRow.due_at, now)


async def looks(session: AsyncSession, org: OrgId, *, now: datetime) -> tuple[UUID, ...]:
    """Grants whose providers should be asked whether they still live."""
    return await _of(session, org, OAuthGrantRow.look_at, now)


async def names(session: AsyncSession, org: OrgId, *, now: datetime) -> tuple[UUID, ...]:
    """Grants whose providers should be asked whose account it is."""
    return await _of(session, org, OAuthGrantRow.name_at, now)


async def revocations(session: AsyncSession, org: OrgId, *, now: datetime) -> tuple[UUID, ...]:
    """Revocations whose provider should be told, again or for the first time."""
    query = select(RevocationRow.id).where(
        col(RevocationRow.org_id) == org, col(RevocationRow.state) == "pending", col(RevocationRow.next_at) <= now
    )
    return tuple((await session.execute(query.order_by(col(RevocationRow.next_at)).limit(AT_ONCE))).scalars())


async def _of(session: AsyncSession, org: OrgId, at: datetime | None, now: datetime) -> tuple[UUID, ...]:
    query = select(OAuthGrantRow.id).where(
        col(OAuthGrantRow.org_id) == org, col(at) <= now, col(OAuthGrantRow.status).in_(_LIVING)
    )
    return tuple((await session.execute(query.order_by(col(at)).limit(AT_ONCE))).scalars())
