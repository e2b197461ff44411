"""What pages and the command line may read about organisations, people and sessions.

Plain reads under row-level security. `Visitors.who` is the one place where a cookie becomes a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import Database, ReadSession
from joule.identity import tokens, upkeep
from joule.identity.actions import AgentFamily, Secret
from joule.identity.lifetimes import Lifetimes
from joule.identity.tables import EMAIL, NAME, ORGANISATION, OrganisationRow, PersonRow, WebSessionRow
from joule.identity.tokens import Kind
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId
from joule.kernel.principal import Principal, Role, Via
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class SignedInPerson:
    """Who is behind a session, with the role they have at this moment."""

    org: OrgId
    person: PersonId
    role: Role
    name: str
    session: UUID
    last_seen_at: datetime
    has_password: bool

    @property
    def principal(self) -> Principal:
        """The principal of what they do with their own hand."""
        return Principal(org=self.org, person=self.person, role=self.role, via=Via.PERSON)


@dataclass(frozen=True, kw_only=True)
class Person:
    """One line of the list of members. `status` is active, invited or deactivated."""

    person: PersonId
    name: str
    email: str
    role: Role
    status: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class OpenSession:
    """One line of the list of sessions."""

    session: UUID
    person: PersonId
    agent: AgentFamily
    opened_by: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


async def session_of(
    session: ReadSession, vault: Vault, token: Secret, *, now: datetime, lifetimes: Lifetimes
) -> SignedInPerson | None:
    """The person behind a session token; None when it is unknown, ended, expired, idle too long, or not one at all.

    `session` has to be scoped to `tokens.organisation_of(token)`.
    """
    given = tokens.read(token, Kind.SESSION)
    if given is None:
        return None
    found = (
        await session.execute(
            select(WebSessionRow, PersonRow)
            .join(
                PersonRow,
                (col(PersonRow.org_id) == col(WebSessionRow.org_id))
                & (col(PersonRow.id) == col(WebSessionRow.person_id)),
            )
            .where(
                col(WebSessionRow.org_id) == given.org,
                col(WebSessionRow.token_key) == given.key,
                col(WebSessionRow.expires_at) > now,
                col(WebSessionRow.last_seen_at) > now - lifetimes.idle,
                col(WebSessionRow.revoked_at).is_(None),
                col(PersonRow.status) == "active",
            )
        )
    ).one_or_none()
    if found is None or not given.is_found_in(found[0].token_key):
        return None
    web_session, person = found
    keyring = await vault.keyring(session, given.org)
    return SignedInPerson(
        org=given.org,
        person=PersonId(person.id),
        role=Role(person.role),
        name=keyring.open_text(person.name, row=person.id, field=NAME),
        session=web_session.id,
        last_seen_at=web_session.last_seen_at,
        has_password=person.password_hash is not None,
    )


class Visitors:
    """Tells the web who holds a cookie. Holds no state of its own: an ended session is ended everywhere at once."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock, lifetimes: Lifetimes) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._lifetimes = lifetimes

    async def who(self, cookie: str) -> SignedInPerson | None:
        """The person behind the cookie's value, or None. Notes the use of the session at most once a minute."""
        token = Secret(cookie)
        org = tokens.organisation_of(token)
        if org is None:
            return None
        now = self._clock.now()
        async with self._database.read(org) as session:
            person = await session_of(session, self._vault, token, now=now, lifetimes=self._lifetimes)
        if person is not None and now - person.last_seen_at >= upkeep.SEEN_AT_MOST_EVERY:
            async with self._database.write(org) as writing:
                await upkeep.touch(writing, org, person.session, now=now)
        return person

    async def is_still_in(self, who: SignedInPerson) -> bool:
        """Whether the session of somebody who was let in still works. Asking is no use of it."""
        async with self._database.read(who.org) as session:
            working = await open_sessions(
                session, who.org, person=who.person, now=self._clock.now(), lifetimes=self._lifetimes
            )
        return any(each.session == who.session for each in working)


async def organisations(session: ReadSession) -> tuple[OrgId, ...]:
    """All organisations of the deployment, oldest first. `session` has to be scoped to `DEPLOYMENT`."""
    rows = await session.scalars(
        select(col(OrganisationRow.org_id)).order_by(col(OrganisationRow.created_at), col(OrganisationRow.org_id))
    )
    return tuple(OrgId(each) for each in rows)


async def organisation_name(session: ReadSession, vault: Vault, org: OrgId) -> str:
    """The organisation's name. Raises `NotFound`."""
    row = await session.get(OrganisationRow, org)
    if row is None:
        raise NotFound("organisation")
    return (await vault.keyring(session, org)).open_text(row.name, row=org, field=ORGANISATION)


async def people(session: ReadSession, vault: Vault, org: OrgId) -> tuple[Person, ...]:
    """Everybody in the organisation, the deactivated too, in the order they came."""
    rows = await session.scalars(select(PersonRow).where(col(PersonRow.org_id) == org).order_by(col(PersonRow.id)))
    found: Sequence[PersonRow] = rows.all()
    if not found:
        return ()
    keyring = await vault.keyring(session, org)
    return tuple(
        Person(
            person=PersonId(row.id),
            name=keyring.open_text(row.name, row=row.id, field=NAME),
            email=keyring.open_text(row.email, row=row.id, field=EMAIL),
            role=Role(row.role),
            status=row.status,
            created_at=row.created_at,
        )
        for row in found
    )


async def first_owner(session: ReadSession, org: OrgId) -> PersonId | None:
    """The oldest owner who can sign in or was invited to: whom `joule up` prints a link for."""
    found = await session.scalar(
        select(col(PersonRow.id))
        .where(
            col(PersonRow.org_id) == org,
            col(PersonRow.role) == Role.OWNER.value,
            col(PersonRow.status) != "deactivated",
        )
        .order_by(col(PersonRow.id))
        .limit(1)
    )
    return None if found is None else PersonId(found)


async def open_sessions(
    session: ReadSession, org: OrgId, *, person: PersonId | None, now: datetime, lifetimes: Lifetimes
) -> tuple[OpenSession, ...]:
    """The sessions that still work, of one person or (None) of everybody, last used first."""
    wanted: list[ColumnElement[bool]] = [] if person is None else [col(WebSessionRow.person_id) == person]
    rows = await session.scalars(
        select(WebSessionRow)
        .where(
            col(WebSessionRow.org_id) == org,
            col(WebSessionRow.expires_at) > now,
            col(WebSessionRow.last_seen_at) > now - lifetimes.idle,
            col(WebSessionRow.revoked_at).is_(None),
            *wanted,
        )
        .order_by(col(WebSessionRow.last_seen_at).desc(), col(WebSessionRow.id))
    )
    return tuple(
        OpenSession(
            session=row.id,
            person=PersonId(row.person_id),
            agent=AgentFamily(row.agent),
            opened_by=row.opened_by,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
        )
        for row in rows
    )


async def role_of(session: AsyncSession, org: OrgId, person: PersonId) -> Role:
    """What a person is now; also of one who has yet to sign in. Raises `NotFound` when they are gone or deactivated."""
    row = await session.get(PersonRow, (org, person))
    if row is None or row.status == "deactivated":
        raise NotFound("active person")
    return Role(row.role)
