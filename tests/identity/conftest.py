"""A deployment with its identity room: real PostgreSQL, a real vault, a stopped clock, cheap argon2id."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from argon2 import PasswordHasher

from joule.database.engine import Database
from joule.identity import queries
from joule.identity.actions import (
    Founded,
    FoundOrganisation,
    InvitePerson,
    IssueSignInLink,
    Secret,
    SetPassword,
    SignedIn,
    SignInWithLink,
    SignInWithPassword,
)
from joule.identity.addresses import Addresses
from joule.identity.handler import IdentityHandler
from joule.identity.lifetimes import Lifetimes
from joule.identity.passwords import Passwords
from joule.identity.queries import SignedInPerson, Visitors
from joule.kernel.action import Action
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId, new_id
from joule.kernel.permit import Permits
from joule.kernel.principal import Principal, Role, Via
from tests.support.clock import StoppedClock

R = TypeVar("R")
PASSWORD = "correct horse battery staple"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def system(org: OrgId) -> Principal:
    return Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)


def anonymous(org: OrgId) -> Principal:
    return Principal(org=org, person=None, role=Role.ANONYMOUS, via=Via.PERSON)


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a test does to the identity room, and what it can see of it."""

    database: Database
    vault: Any
    clock: StoppedClock
    permits: Permits
    handler: IdentityHandler
    addresses: Addresses
    visitors: Visitors
    lifetimes: Lifetimes

    async def perform(self, action: Action[R]) -> R:
        """As the gate does it, without policy and journal: a permit, and one transaction."""
        permit = self.permits.issue(action, decision=DecisionId(new_id()), task=TaskId(new_id()))
        async with self.database.write(action.principal.org) as session:
            done: R = await self.handler.methods()[type(action)](permit, action, session)
            return done

    async def found(self, name: str = "Acme", email: str = "olga@acme.example") -> Founded:
        org = OrgId(new_id())
        return await self.perform(
            FoundOrganisation(principal=system(org), organisation_name=name, owner_name="Olga", owner_email=email)
        )

    async def link(self, org: OrgId, person: PersonId) -> Secret:
        return (await self.perform(IssueSignInLink(principal=system(org), person=person))).token

    async def enter(self, org: OrgId, person: PersonId) -> SignedIn:
        """Signed in by a fresh link."""
        token = await self.link(org, person)
        return await self.perform(SignInWithLink(principal=anonymous(org), token=token))

    async def owner(self, email: str = "olga@acme.example") -> SignedInPerson:
        """A founded organisation's signed-in owner."""
        founded = await self.found(email=email)
        return await self.visit(await self.enter(founded.org, founded.person))

    async def join(self, by: SignedInPerson, role: Role, email: str) -> SignedInPerson:
        """Somebody invited who has signed in."""
        invited = await self.perform(
            InvitePerson(principal=by.principal, person_name=role.value.title(), email=email, role=role)
        )
        return await self.visit(await self.perform(SignInWithLink(principal=anonymous(by.org), token=invited.token)))

    async def visit(self, signed_in: SignedIn) -> SignedInPerson:
        person = await self.visitors.who(signed_in.token.get_secret_value())
        assert person is not None
        return person

    async def give_password(self, who: SignedInPerson, password: str = PASSWORD) -> None:
        await self.perform(SetPassword(principal=who.principal, password=Secret(password), keep=who.session))

    async def by_password(self, email: str, password: str = PASSWORD, **more: Any) -> SignedIn:
        """As the sign-in page does it."""
        org = await self.addresses.organisation_of(email)
        return await self.perform(
            SignInWithPassword(principal=anonymous(org), email=email, password=Secret(password), **more)
        )

    async def people(self, org: OrgId) -> tuple[queries.Person, ...]:
        async with self.database.read(org) as session:
            return await queries.people(session, self.vault, org)

    async def sessions(self, org: OrgId, person: PersonId | None = None) -> tuple[queries.OpenSession, ...]:
        async with self.database.read(org) as session:
            return await queries.open_sessions(
                session, org, person=person, now=self.clock.now(), lifetimes=self.lifetimes
            )

    def with_passwords(self, passwords: Passwords) -> "Room":
        """The same rows seen by a process with another hasher."""
        return replace(self, handler=_handler(self, passwords))


def _handler(room: Room, passwords: Passwords) -> IdentityHandler:
    return IdentityHandler(
        admission=room.permits,
        database=room.database,
        vault=room.vault,
        clock=room.clock,
        addresses=room.addresses,
        passwords=passwords,
        lifetimes=room.lifetimes,
    )


@pytest.fixture
def room(database: Database, vault: Any, clock: StoppedClock) -> Room:
    permits = Permits(clock=clock)
    lifetimes = Lifetimes(idle=timedelta(hours=12), longest=timedelta(days=7))
    addresses = Addresses(database=database, vault=vault)
    return Room(
        database=database,
        vault=vault,
        clock=clock,
        permits=permits,
        addresses=addresses,
        lifetimes=lifetimes,
        visitors=Visitors(database=database, vault=vault, clock=clock, lifetimes=lifetimes),
        handler=IdentityHandler(
            admission=permits,
            database=database,
            vault=vault,
            clock=clock,
            addresses=addresses,
            passwords=Passwords(hasher=CHEAP),
            lifetimes=lifetimes,
        ),
    )
