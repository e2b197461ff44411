"""Disconnects the accounts a person connected. Runs inside the action that erases them; providers are told afterwards."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from integrations.actions import RevokeConnection
from integrations.revoking import Revoking
from integrations.tables import ConnectionRow, OAuthGrantRow, PendingAuthorizationRow, RevocationRow
from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId, PersonId
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal


async def erase(
    session: WriteSession, permit: Permit, revoking: Revoking, who: Principal, person: PersonId
) -> Mapping[str, int]:
    """Disconnect each, on the word of `who`; how many connections. Consents that were begun end too."""
    org, connection = who.org, ConnectionRow
    theirs = list(
        await session.scalars(
            select(col(connection.id))
            .where(
                col(connection.org_id) == org,
                col(connection.connected_by) == person,
                col(connection.status) == "active",
            )
            .order_by(col(connection.id))
        )
    )
    wish = RevokeConnection(principal=who, connection=person)  # named anew for each
    for each in theirs:
        await revoking.revoke(session, replace(wish, connection=each), permit=permit)
    await session.execute(
        delete(PendingAuthorizationRow).where(
            col(PendingAuthorizationRow.org_id) == org, col(PendingAuthorizationRow.person_id) == person
        )
    )
    return {"connections": len(theirs)}


async def untold(session: AsyncSession, org: OrgId) -> int:
    """How many accounts are connected, or disconnected without their provider having been told yet."""
    grants = await session.scalar(
        select(func.count()).where(col(OAuthGrantRow.org_id) == org, col(OAuthGrantRow.status) != "revoked")
    )
    telling = await session.scalar(
        select(func.count()).where(col(RevocationRow.org_id) == org, col(RevocationRow.tokens).is_not(None))
    )
    return (grants or 0) + (telling or 0)
