"""Says to rooms that end things by themselves whether they may."""

from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.ids import OrgId
from traces.ending import holds


async def is_held(session: AsyncSession, org: OrgId) -> bool:
    """Whether nothing of the organisation may be erased for now."""
    return any(each.scope is holds.Scope.ORGANISATION for each in await holds.standing(session, org))
