"""Disconnects the accounts a person connected. Runs inside the action that erases them; providers are told afterwards."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from integrations.actions import RevokeConnection
from integrations.revoking import Revoking
from integrations.tables import ConnectionRow, OAuthGrantRow, PendingAuthorizationRow, RevocationRow
from joule.database.engine import ReadSession, WriteSession
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


async def tell(session: ReadSession, org: OrgId, person: PersonId) -> dict[str, list[dict[str, Any]]]:
    """The accounts they connected: where, since when and until when."""
    rows = await session.scalars(
        select(ConnectionRow)
        .where(col(ConnectionRow.org_id) == org, col(ConnectionRow.connected_by) == person)
        .order_by(col(ConnectionRow.id))
    )
    return {
        "connections": [
            {
                "connection": str(each.id),
                "provider": each.provider,
                "connected_at": each.connected_at.isoformat(),
                "disconnected_at": None if each.revoked_at is None else each.revoked_at.isoformat(),
            }
            for each in rows
        ]
    }


async def untold(session: AsyncSession, org: OrgId) -> int:
    """How many accounts are connected, or disconnected without their provider having been told yet."""
    grants = await session.scalar(
        select(func.count()).where(col(OAuthGrantRow.org_id) == org, col(OAuthGrantRow.status) != "revoked")
    )
    telling = await session.scalar(
        select(func.count()).where(col(RevocationRow.org_id) == org, col(RevocationRow.tokens).is_not(None))
    )
    return (grants or 0) + (telling or 0)
