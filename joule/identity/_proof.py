"""Makes sure that whoever changes how an account is entered is its owner, and not somebody at an open browser."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from joule.identity import _people
from joule.identity._sessions import Change
from joule.identity._throttle import Throttle
from joule.identity.actions import Secret
from joule.identity.errors import SignInFailed
from joule.identity.passwords import Passwords
from joule.identity.tables import PersonRow, WebSessionRow

FRESH_LINK = timedelta(minutes=15)  # how long a link stands in for the password it is meant to replace


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Asks for the present password, unless there is none or a link was used a moment ago."""

    passwords: Passwords
    throttle: Throttle

    async def demand(self, change: Change, person: PersonRow, *, current: Secret | None, keep: UUID | None) -> None:
        """Raise `SignInFailed` unless `current` is the password, or the session `keep` was opened by a fresh link."""
        if person.password_hash is None or await _came_by_link(change, person, keep):
            return
        key = await _people.address_key_of(change.session, person)
        if key is None or current is None:
            raise SignInFailed
        await self.throttle.count(key, decision=change.decision)
        if not await self.passwords.matches(person.password_hash, current):
            raise SignInFailed
        await self.throttle.forgive(key)


async def _came_by_link(change: Change, person: PersonRow, keep: UUID | None) -> bool:
    opened_at = await change.session.scalar(
        select(col(WebSessionRow.created_at)).where(
            col(WebSessionRow.org_id) == change.org,
            col(WebSessionRow.id) == keep,
            col(WebSessionRow.person_id) == person.id,
            col(WebSessionRow.opened_by) == "link",
            col(WebSessionRow.revoked_at).is_(None),
        )
    )
    return opened_at is not None and change.now - opened_at < FRESH_LINK
