"""Erases who a person was: name, address, password, sessions and links. Runs inside the action that erases them.

Their id stays, with a name that names nobody: what others were told of them still has somebody to point at.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlmodel import col

from joule.database.engine import WriteSession
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
