"""How long an organisation keeps what comes out of its sandboxes: what it chose itself, else what the operator set."""

from datetime import timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit
from sandbox.tables import ArtifactRuleRow

SHORTEST, LONGEST = 1, 90 * 24  # hours


async def kept_for(session: AsyncSession, org: OrgId, *, otherwise: timedelta) -> timedelta:
    """How long an artifact that is made now is kept."""
    row = await session.get(ArtifactRuleRow, org)
    return otherwise if row is None else timedelta(hours=row.hours)


async def set_rule(session: WriteSession, permit: Permit, hours: int, *, clock: Clock) -> int:
    """Keep what is made from now on this long; what is there keeps its date. Raises `Invalid`."""
    if not SHORTEST <= hours <= LONGEST:
        raise Invalid(
            "artifacts cannot be kept for that long, or not so short", advice="Choose 1 hour to 90 days (2,160 hours)."
        )
    principal = permit.action.principal
    values = {
        "hours": hours,
        "set_by": principal.person,
        "updated_at": clock.now(),
        "decision_id": permit.decision,
    }
    made = insert(ArtifactRuleRow).values(org_id=principal.org, **values)
    await session.execute(made.on_conflict_do_update(index_elements=["org_id"], set_=values))
    return hours
