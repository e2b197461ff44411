"""Remembers what each provider's issuer published about itself, for every process and over every restart.

What an organisation was shown first is what it goes on trusting: an endpoint that moved or a protection that went is
refused, and stands here as refused until an admin has looked into it and accepts it.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select
from sqlmodel.sql.expression import SelectOfScalar

from integrations._columns import PINNED
from integrations.oauth.discovery import ServerMetadata
from integrations.tables import IssuerPinRow
from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.vault.keys import Keyring
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class PinView:
    """What is known of one issuer. `refused_at`: since then it publishes something else, which is not used."""

    provider: str
    pinned_at: datetime
    refused_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Pins:
    """The pinned settings of issuers, sealed under the organisation's key."""

    database: Database
    vault: Vault
    clock: Clock

    async def of(self, session: AsyncSession, org: OrgId, provider: str, issuer: str) -> ServerMetadata | None:
        """What was accepted; None: nothing yet."""
        ring = await self.vault.keyring(session, org)
        row = (await session.execute(_one(ring, provider, issuer))).scalar_one_or_none()
        if row is None:
            return None
        return ServerMetadata.from_plain(json.loads(ring.open(row.found, row=row.id, field=PINNED)))

    async def keep(self, org: OrgId, provider: str, seen: ServerMetadata, *, decision: DecisionId) -> None:
        """Pin what was seen, unless somebody has pinned something meanwhile: then theirs stays."""
        async with self.database.write(org) as session:
            ring = await self.vault.keyring(session, org)
            made = new_id()
            row = {
                "org_id": org,
                "id": made,
                "provider": provider,
                "issuer_key": _key(ring, seen.issuer),
                "found": ring.seal_text(json.dumps(seen.plain()), row=made, field=PINNED),
                "pinned_at": self.clock.now(),
                "decision_id": decision,
            }
            await session.execute(insert(IssuerPinRow).values(**row).on_conflict_do_nothing())

    async def note(self, org: OrgId, provider: str, issuer: str, *, refused: bool, decision: DecisionId) -> None:
        """Write down that the issuer publishes something else now, or again what was pinned."""
        async with self.database.write(org) as session:
            ring = await self.vault.keyring(session, org)
            row = (await session.execute(_one(ring, provider, issuer).with_for_update())).scalar_one_or_none()
            if row is not None and (row.refused_at is not None) != refused:
                row.refused_at, row.decision_id = self.clock.now() if refused else None, decision


async def forget(session: WriteSession, org: OrgId, provider: str) -> int:
    """Let what the provider publishes next be pinned anew; how many pins there were."""
    mine = (col(IssuerPinRow.org_id) == org, col(IssuerPinRow.provider) == provider)
    gone = await session.execute(delete(IssuerPinRow).where(*mine).returning(col(IssuerPinRow.id)))
    return len(gone.all())


async def pins(session: AsyncSession, org: OrgId) -> tuple[PinView, ...]:
    """All that is pinned, by provider."""
    query = select(IssuerPinRow).where(col(IssuerPinRow.org_id) == org).order_by(col(IssuerPinRow.provider))
    return tuple(
        PinView(provider=row.provider, pinned_at=row.pinned_at, refused_at=row.refused_at)
        for row in (await session.execute(query)).scalars()
    )


def _one(ring: Keyring, provider: str, issuer: str) -> SelectOfScalar[IssuerPinRow]:
    return select(IssuerPinRow).where(
        col(IssuerPinRow.org_id) == ring.org,
        col(IssuerPinRow.provider) == provider,
        col(IssuerPinRow.issuer_key) == _key(ring, issuer),
    )


def _key(ring: Keyring, issuer: str) -> bytes:
    return ring.commitment("integrations.issuer", issuer.encode())
