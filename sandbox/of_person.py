"""Ends the artifacts a person's tasks made, and the sandboxes of an organisation that is erased.

Runs inside the action that erases. The store forgets the bytes of a person's artifacts a few minutes later; those of an
organisation at once, for there is nobody left to sweep for.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from joule.database.engine import ReadSession, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId, PersonId
from joule.kernel.permit import Permit
from joule.vault.keys import Keyring
from sandbox.artifacts.ending import end
from sandbox.artifacts.shelf import name_of
from sandbox.artifacts.store import Store
from sandbox.tables import ArtifactBlobRow, ArtifactRow


async def erase(
    session: WriteSession, permit: Permit, org: OrgId, person: PersonId, *, clock: Clock
) -> Mapping[str, int]:
    """End every artifact of a person; how many."""
    rows = (
        await session.scalars(
            select(ArtifactRow)
            .where(
                col(ArtifactRow.org_id) == org, col(ArtifactRow.author) == person, col(ArtifactRow.gone_at).is_(None)
            )
            .order_by(col(ArtifactRow.id))
            .with_for_update()
        )
    ).all()
    for row in rows:
        await end(session, row, cause="deleted", at=clock.now(), decision=permit.decision)
    return {"artifacts": len(rows)}


async def tell(session: ReadSession, keyring: Keyring, org: OrgId, person: PersonId) -> dict[str, list[dict[str, Any]]]:
    """The artifacts of their tasks that are still there, by name."""
    rows = await session.scalars(
        select(ArtifactRow)
        .where(col(ArtifactRow.org_id) == org, col(ArtifactRow.author) == person, col(ArtifactRow.gone_at).is_(None))
        .order_by(col(ArtifactRow.id))
    )
    return {
        "artifacts": [
            {"artifact": str(each.id), "name": name_of(each, keyring), "bytes": each.size, "type": each.media_type}
            for each in rows
        ]
    }


async def erase_bytes(session: WriteSession, org: OrgId, store: Store) -> int:
    """Have the store forget everything of an organisation whose keys are destroyed; how many pieces."""
    blobs = list(await session.scalars(select(col(ArtifactBlobRow.id)).where(col(ArtifactBlobRow.org_id) == org)))
    for blob in blobs:
        await asyncio.to_thread(store.delete, org, blob)
    return len(blobs)
