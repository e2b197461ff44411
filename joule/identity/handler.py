"""Performs what can be done to organisations, people and their sessions.

What policy allows in general is narrowed here to what holds between two people: nobody governs upwards, nobody acts
for somebody else's session, and the last owner stays.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlmodel import col

from joule.database.engine import Database, WriteSession
from joule.identity import _people, _sessions, tokens, upkeep
from joule.identity._people import Newcomer
from joule.identity._proof import Proof
from joule.identity._sessions import Change
from joule.identity._throttle import Throttle
from joule.identity.actions import (
    ChangeAddress,
    ChangeRole,
    DeactivatePerson,
    EndAllSessions,
    EndSession,
    Founded,
    FoundOrganisation,
    Invited,
    InvitePerson,
    IssueSignInLink,
    OrganisationChanged,
    PersonChanged,
    RenameOrganisation,
    RenamePerson,
    SessionsEnded,
    SetPassword,
    SignedIn,
    SignInLink,
    SignInWithLink,
    SignInWithPassword,
    SignOut,
)
from joule.identity.addresses import Addresses, checked_name
from joule.identity.deployment import DEPLOYMENT
from joule.identity.errors import LinkUnusable, NotYours, OrganisationExists, SignInFailed
from joule.identity.lifetimes import Lifetimes
from joule.identity.passwords import Passwords, check_fit
from joule.identity.permissions import Permission, allowed, governs
from joule.identity.tables import EMAIL, NAME, ORGANISATION, OrganisationRow, PersonRow, WebSessionRow
from joule.identity.tokens import Kind
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.handler import Method
from joule.kernel.ids import PersonId
from joule.kernel.permit import Admission, Permit
from joule.kernel.principal import Role
from joule.vault.vault import Vault

LINK_FROM_THE_SERVER = timedelta(minutes=60)
LINK_FROM_A_COLLEAGUE = timedelta(minutes=15)
LINK_OF_AN_INVITATION = timedelta(days=3)


class IdentityHandler:
    """The only way in to who people are and what they may do."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        addresses: Addresses,
        passwords: Passwords,
        lifetimes: Lifetimes,
    ) -> None:
        self._admission = admission
        self._vault = vault
        self._clock = clock
        self._addresses = addresses
        self._passwords = passwords
        self._lifetimes = lifetimes
        self._throttle = Throttle(database=database, clock=clock)
        self._proof = Proof(passwords=passwords, throttle=self._throttle)

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            FoundOrganisation: self.found_organisation,
            IssueSignInLink: self.issue_sign_in_link,
            SignInWithLink: self.sign_in_with_link,
            SignInWithPassword: self.sign_in_with_password,
            SignOut: self.sign_out,
            EndSession: self.end_session,
            EndAllSessions: self.end_all_sessions,
            SetPassword: self.set_password,
            InvitePerson: self.invite_person,
            ChangeRole: self.change_role,
            DeactivatePerson: self.deactivate_person,
            RenamePerson: self.rename_person,
            ChangeAddress: self.change_address,
            RenameOrganisation: self.rename_organisation,
        }

    async def found_organisation(self, permit: Permit, action: FoundOrganisation, session: WriteSession) -> Founded:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        if action.principal.role is not Role.SYSTEM or change.org == DEPLOYMENT:
            raise NotYours(action.name)
        if await session.get(OrganisationRow, change.org) is not None:
            raise OrganisationExists
        keyring = await self._vault.keyring(session, change.org, create=True)
        name = checked_name(action.organisation_name)
        session.add(
            OrganisationRow(
                org_id=change.org,
                name=keyring.seal_text(name, row=change.org, field=ORGANISATION),
                created_at=change.now,
                decision_id=change.decision,
            )
        )
        await session.flush()
        key = await self._addresses.key_of(action.owner_email)
        owner = Newcomer(name=action.owner_name, email=action.owner_email, address_key=key, role=Role.OWNER)
        return Founded(org=change.org, person=await _people.add(change, keyring, owner, status="active"))

    async def issue_sign_in_link(self, permit: Permit, action: IssueSignInLink, session: WriteSession) -> SignInLink:
        self._admission.admit(permit, action)
        person = await _people.governed(session, action, action.person)
        good_for = LINK_FROM_THE_SERVER if action.principal.role is Role.SYSTEM else LINK_FROM_A_COLLEAGUE
        return await _sessions.make_link(self._change(permit, action, session), PersonId(person.id), good_for=good_for)

    async def sign_in_with_link(self, permit: Permit, action: SignInWithLink, session: WriteSession) -> SignedIn:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        token = tokens.read(action.token, Kind.LINK)
        if token is None or token.org != change.org:
            raise LinkUnusable
        whose = await _sessions.person_of_link(session, token)
        if whose is None:
            raise LinkUnusable
        person = await self._still_welcome(session, change, whose)
        if person is None or not await _sessions.spend_link(change, token):
            raise LinkUnusable
        if person.status == "invited":
            person.status, person.decision_id = "active", change.decision
        await _sessions.end_replaced(change, action.replaces)
        await upkeep.forget_ended(session, change.org, now=change.now)
        return await _sessions.begin(change, whose, by="link", agent=action.agent, lifetimes=self._lifetimes)

    async def sign_in_with_password(
        self, permit: Permit, action: SignInWithPassword, session: WriteSession
    ) -> SignedIn:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        async with self._passwords.turn():  # before a second connection is asked for: a flood must not take them all
            key = await self._addresses.key_of(action.email)
            await self._throttle.count(key, decision=permit.decision)
            found = await _people.with_address(session, change.org, key)
            stored = None if found is None else found.password_hash
            matches = await self._passwords.matches(stored, action.password)
            if found is None or stored is None or not matches:
                raise SignInFailed
            person = await self._still_welcome(session, change, PersonId(found.id))
            if person is None or person.password_hash != stored:  # changed while we were hashing
                raise SignInFailed
            if self._passwords.is_outdated(stored):
                await _people.store_password(change, person, await self._passwords.hash(action.password))
            await self._throttle.forgive(key)
        await _sessions.end_replaced(change, action.replaces)
        await upkeep.forget_ended(session, change.org, now=change.now)
        return await _sessions.begin(
            change, PersonId(person.id), by="password", agent=action.agent, lifetimes=self._lifetimes
        )

    async def sign_out(self, permit: Permit, action: SignOut, session: WriteSession) -> SessionsEnded:
        self._admission.admit(permit, action)
        person = await _people.themselves(session, action)
        change = self._change(permit, action, session)
        mine = col(WebSessionRow.person_id) == person.id
        this = col(WebSessionRow.id) == action.session
        return SessionsEnded(count=await _sessions.end(change, mine, this))

    async def end_session(self, permit: Permit, action: EndSession, session: WriteSession) -> SessionsEnded:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        target = await session.get(WebSessionRow, (change.org, action.session))
        if target is None:
            raise NotFound("session")
        if target.person_id == action.principal.person:
            await _people.themselves(session, action)
        else:
            await _people.governed(session, action, PersonId(target.person_id))
        this = col(WebSessionRow.id) == action.session
        return SessionsEnded(count=await _sessions.end(change, this))

    async def end_all_sessions(self, permit: Permit, action: EndAllSessions, session: WriteSession) -> SessionsEnded:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        if action.person == action.principal.person:
            person = await _people.themselves(session, action)
        else:
            person = await _people.governed(session, action, action.person)
        await _people.store_password(change, person, None)
        return SessionsEnded(count=await _sessions.end_all_of(change, action.person))

    async def set_password(self, permit: Permit, action: SetPassword, session: WriteSession) -> PersonChanged:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        async with self._passwords.turn():
            person = await _people.themselves(session, action)
            await self._proof.demand(change, person, current=action.current, keep=action.keep)
            keyring = await self._vault.keyring(session, change.org)
            name = keyring.open_text(person.name, row=person.id, field=NAME)
            email = keyring.open_text(person.email, row=person.id, field=EMAIL)
            check_fit(action.password, name=name, email=email)
            await _people.store_password(change, person, await self._passwords.hash(action.password))
        ended = await _sessions.end_all_of(change, PersonId(person.id), but=action.keep)
        return PersonChanged(person=PersonId(person.id), sessions_ended=ended)

    async def invite_person(self, permit: Permit, action: InvitePerson, session: WriteSession) -> Invited:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        if not governs(await _people.role_now(session, action), action.role):
            raise NotYours(action.name)
        keyring = await self._vault.keyring(session, change.org)
        key = await self._addresses.key_of(action.email)
        newcomer = Newcomer(name=action.person_name, email=action.email, address_key=key, role=action.role)
        person = await _people.add(change, keyring, newcomer)
        link = await _sessions.make_link(change, person, good_for=LINK_OF_AN_INVITATION)
        return Invited(person=person, token=link.token, expires_at=link.expires_at)

    async def change_role(self, permit: Permit, action: ChangeRole, session: WriteSession) -> PersonChanged:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        person = await _people.governed(session, action, action.person)
        if not governs(await _people.role_now(session, action), action.role):
            raise NotYours(action.name)
        if action.role is Role(person.role):
            return PersonChanged(person=action.person)
        await _people.keep_an_owner(session, person)
        person.role, person.decision_id = action.role.value, change.decision
        await session.flush()
        return PersonChanged(person=action.person, sessions_ended=await _sessions.end_all_of(change, action.person))

    async def deactivate_person(self, permit: Permit, action: DeactivatePerson, session: WriteSession) -> PersonChanged:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        person = await _people.governed(session, action, action.person)
        await _people.keep_an_owner(session, person)
        person.status, person.deactivated_at = "deactivated", change.now
        await _people.store_password(change, person, None)
        await _people.forget_address(change, action.person)
        return PersonChanged(person=action.person, sessions_ended=await _sessions.end_all_of(change, action.person))

    async def rename_person(self, permit: Permit, action: RenamePerson, session: WriteSession) -> PersonChanged:
        self._admission.admit(permit, action)
        person = await _people.themselves(session, action)
        keyring = await self._vault.keyring(session, action.principal.org)
        name = checked_name(action.person_name)
        person.name, person.decision_id = keyring.seal_text(name, row=person.id, field=NAME), permit.decision
        await session.flush()
        return PersonChanged(person=PersonId(person.id))

    async def change_address(self, permit: Permit, action: ChangeAddress, session: WriteSession) -> PersonChanged:
        self._admission.admit(permit, action)
        change = self._change(permit, action, session)
        async with self._passwords.turn():
            person = await _people.themselves(session, action)
            await self._proof.demand(change, person, current=action.current, keep=action.keep)
            key = await self._addresses.key_of(action.email)
        keyring = await self._vault.keyring(session, change.org)
        await _people.move(change, keyring, person, email=action.email, address_key=key)
        ended = await _sessions.end_all_of(change, PersonId(person.id), but=action.keep)
        return PersonChanged(person=PersonId(person.id), sessions_ended=ended)

    async def rename_organisation(
        self, permit: Permit, action: RenameOrganisation, session: WriteSession
    ) -> OrganisationChanged:
        self._admission.admit(permit, action)
        if not allowed(await _people.role_now(session, action), Permission.SETTINGS):
            raise NotYours(action.name)
        org = action.principal.org
        row = await session.get(OrganisationRow, org, with_for_update={"key_share": True})
        if row is None:
            raise NotFound("organisation")
        keyring = await self._vault.keyring(session, org)
        row.name = keyring.seal_text(checked_name(action.organisation_name), row=org, field=ORGANISATION)
        row.decision_id = permit.decision
        await session.flush()
        return OrganisationChanged(org=org)

    def _change(self, permit: Permit, action: Action[Any], session: WriteSession) -> Change:
        return Change(session=session, org=action.principal.org, decision=permit.decision, now=self._clock.now())

    async def _still_welcome(self, session: WriteSession, change: Change, whose: PersonId) -> PersonRow | None:
        try:
            return await _people.locked(session, change.org, whose)
        except NotFound:
            return None
