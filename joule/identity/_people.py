"""Reads and changes people, under locks that keep an organisation administrable.

Whoever changes what a person may do locks their row first, and their sessions after it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.identity._sessions import Change
from joule.identity.addresses import checked_address, checked_name
from joule.identity.errors import AddressTaken, LastOwner, NotYours
from joule.identity.permissions import governs
from joule.identity.tables import EMAIL, NAME, OrganisationRow, PersonAddressRow, PersonRow
from joule.kernel.action import Action
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, new_id
from joule.kernel.principal import Role, Via
from joule.vault.keys import Keyring


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """A person who is to be added."""

    name: str
    email: str
    address_key: bytes
    role: Role


async def locked(session: WriteSession, org: OrgId, person: PersonId) -> PersonRow:
    """The person's row as it is now, held until the transaction ends. Raises `NotFound` also for the deactivated."""
    row = await session.scalar(
        select(PersonRow)
        .where(col(PersonRow.org_id) == org, col(PersonRow.id) == person, col(PersonRow.status) != "deactivated")
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("person")
    return row


async def role_now(session: WriteSession, action: Action[Any]) -> Role:
    """The role of whoever asks, as the database has it at this moment and not as their page remembers it.

    Raises `NotYours` for the agent, whoever it works for, and for anybody who is not an active person.
    """
    who = action.principal
    if who.via is Via.SYSTEM and who.role is Role.SYSTEM:
        return Role.SYSTEM
    if who.via is not Via.PERSON or who.person is None:
        raise NotYours(action.name)
    role = await session.scalar(
        select(col(PersonRow.role)).where(
            col(PersonRow.org_id) == who.org, col(PersonRow.id) == who.person, col(PersonRow.status) == "active"
        )
    )
    if role is None:
        raise NotYours(action.name)
    return Role(role)


async def governed(session: WriteSession, action: Action[Any], person: PersonId) -> PersonRow:
    """The locked row of `person`, if whoever asks may govern them; else `NotYours`.

    Whoever governs in an organisation takes turns on its row: two owners who demote each other at the same moment
    neither wait for each other for ever nor both succeed, for the second is no owner any more.
    """
    await session.execute(
        select(col(OrganisationRow.org_id))
        .where(col(OrganisationRow.org_id) == action.principal.org)
        .with_for_update(key_share=True)
    )
    role = await role_now(session, action)
    row = await locked(session, action.principal.org, person)
    if not governs(role, Role(row.role)):
        raise NotYours(action.name)
    return row


async def themselves(session: WriteSession, action: Action[Any]) -> PersonRow:
    """The locked row of whoever asks, who must be an active person acting with their own hand."""
    await role_now(session, action)
    if action.principal.person is None:
        raise NotYours(action.name)
    return await locked(session, action.principal.org, action.principal.person)


async def keep_an_owner(session: WriteSession, row: PersonRow) -> None:
    """Raise `LastOwner` unless there is another active owner; `row` has come through `governed`."""
    if row.role != Role.OWNER:
        return
    other = await session.scalar(
        select(col(PersonRow.id))
        .where(
            col(PersonRow.org_id) == row.org_id,
            col(PersonRow.id) != row.id,
            col(PersonRow.role) == Role.OWNER.value,
            col(PersonRow.status) == "active",
        )
        .limit(1)
    )
    if other is None:
        raise LastOwner


async def add(change: Change, keyring: Keyring, newcomer: Newcomer, *, status: str = "invited") -> PersonId:
    """Add a person; a founder is active at once, others when they first sign in. Raises `DetailUnfit` or `AddressTaken`."""
    name, email = checked_name(newcomer.name), checked_address(newcomer.email)
    await _claim(change, newcomer.address_key)
    person = PersonId(new_id())
    change.session.add(
        PersonRow(
            org_id=change.org,
            id=person,
            name=keyring.seal_text(name, row=person, field=NAME),
            email=keyring.seal_text(email, row=person, field=EMAIL),
            role=newcomer.role.value,
            status=status,
            created_at=change.now,
            decision_id=change.decision,
        )
    )
    await change.session.flush()
    change.session.add(
        PersonAddressRow(
            org_id=change.org,
            address_key=newcomer.address_key,
            person_id=person,
            with_password=False,
            decision_id=change.decision,
        )
    )
    await change.session.flush()
    return person


async def store_password(change: Change, row: PersonRow, encoded: str | None) -> None:
    """Give a person a password, or none."""
    row.password_hash, row.decision_id = encoded, change.decision
    await change.session.execute(
        update(PersonAddressRow)
        .where(col(PersonAddressRow.org_id) == change.org, col(PersonAddressRow.person_id) == row.id)
        .values(with_password=encoded is not None, decision_id=change.decision)
    )
    await change.session.flush()


async def move(change: Change, keyring: Keyring, row: PersonRow, *, email: str, address_key: bytes) -> None:
    """Give a person another address. Raises `DetailUnfit` or `AddressTaken`."""
    address = checked_address(email)
    await _claim(change, address_key, by=row.id)
    row.email, row.decision_id = keyring.seal_text(address, row=row.id, field=EMAIL), change.decision
    await change.session.execute(
        update(PersonAddressRow)
        .where(col(PersonAddressRow.org_id) == change.org, col(PersonAddressRow.person_id) == row.id)
        .values(address_key=address_key, decision_id=change.decision)
    )
    await change.session.flush()


async def forget_address(change: Change, person: PersonId) -> None:
    """Take a person's address away: nobody signs in by it, and it may be invited again."""
    await change.session.execute(
        delete(PersonAddressRow).where(
            col(PersonAddressRow.org_id) == change.org,
            col(PersonAddressRow.person_id) == person,
        )
    )


async def address_key_of(session: WriteSession, row: PersonRow) -> bytes | None:
    """The key of a person's address."""
    key: bytes | None = await session.scalar(
        select(col(PersonAddressRow.address_key)).where(
            col(PersonAddressRow.org_id) == row.org_id, col(PersonAddressRow.person_id) == row.id
        )
    )
    return key


async def with_address(session: WriteSession, org: OrgId, address_key: bytes) -> PersonRow | None:
    """The active person who signs in by an address, not locked."""
    person: PersonRow | None = await session.scalar(
        select(PersonRow)
        .join(
            PersonAddressRow,
            (col(PersonAddressRow.org_id) == col(PersonRow.org_id))
            & (col(PersonAddressRow.person_id) == col(PersonRow.id)),
        )
        .where(
            col(PersonAddressRow.org_id) == org,
            col(PersonAddressRow.address_key) == address_key,
            col(PersonRow.status) == "active",
        )
    )
    return person


async def _claim(change: Change, address_key: bytes, *, by: UUID | None = None) -> None:
    """Raise `AddressTaken` if anybody but `by` has the address in this organisation."""
    # Two who claim one address at the same moment take turns, so that the second is told in words.
    await change.session.execute(
        select(func.pg_advisory_xact_lock(int.from_bytes(address_key[:8], "big", signed=True)))
    )
    holder = await change.session.scalar(
        select(col(PersonAddressRow.person_id)).where(
            col(PersonAddressRow.org_id) == change.org, col(PersonAddressRow.address_key) == address_key
        )
    )
    if holder is not None and holder != by:
        raise AddressTaken
