"""Erases who a person was: name, address, password, sessions and links. Runs inside the action that erases them.

Their id stays, with a name that names nobody: what others were told of them still has somebody to point at.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlmodel import col

from joule.database.engine import ReadSession, WriteSession
from joule.identity import _people
from joule.identity._sessions import Change
from joule.identity.tables import EMAIL, NAME, PersonRow, SignInLinkRow, WebSessionRow
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId
from joule.kernel.permit import Permit
from joule.vault.vault import Vault

ERASED_NAME = "Erased person"


async def erase(
    session: WriteSession, permit: Permit, vault: Vault, org: OrgId, person: PersonId, *, at: datetime
) -> Mapping[str, int]:
    """Erase them; one who was deactivated before too. Raises `NotFound`, or `LastOwner` for the last owner there is."""
    row = await session.scalar(
        select(PersonRow)
        .where(col(PersonRow.org_id) == org, col(PersonRow.id) == person)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("person")
    if row.status != "deactivated":
        await _people.keep_an_owner(session, row)
    keyring = await vault.keyring(session, org)
    change = Change(session=session, org=org, decision=permit.decision, now=at)
    row.status, row.deactivated_at = "deactivated", row.deactivated_at or at
    row.name = keyring.seal_text(ERASED_NAME, row=row.id, field=NAME)
    row.email = keyring.seal_text("", row=row.id, field=EMAIL)
    await _people.store_password(change, row, None)
    await _people.forget_address(change, person)
    ended = [
        cast(
            CursorResult[Any],
            await session.execute(delete(table).where(col(table.org_id) == org, col(table.person_id) == person)),
        ).rowcount
        for table in (WebSessionRow, SignInLinkRow)
    ]
    return {"names": 1, "sessions": ended[0], "links": ended[1]}


async def tell(session: ReadSession, vault: Vault, org: OrgId, person: PersonId) -> Mapping[str, list[dict[str, Any]]]:
    """Who they are and where they are signed in, opened. Empty for somebody there is not."""
    row = await session.get(PersonRow, (org, person))
    if row is None:
        return {}
    keyring = await vault.keyring(session, org)
    sessions = await session.scalars(
        select(WebSessionRow)
        .where(col(WebSessionRow.org_id) == org, col(WebSessionRow.person_id) == person)
        .order_by(col(WebSessionRow.id))
    )
    account = {
        "id": str(row.id),
        "name": keyring.open_text(row.name, row=row.id, field=NAME),
        "email": keyring.open_text(row.email, row=row.id, field=EMAIL),
        "role": row.role,
        "status": row.status,
        "has_password": row.password_hash is not None,
        "created_at": row.created_at.isoformat(),
    }
    return {
        "account": [account],
        "sessions": [
            {
                "id": str(each.id),
                "program": each.agent,
                "opened_by": each.opened_by,
                "created_at": each.created_at.isoformat(),
                "last_seen_at": each.last_seen_at.isoformat(),
                "ended_at": None if each.revoked_at is None else each.revoked_at.isoformat(),
            }
            for each in sessions
        ],
    }
