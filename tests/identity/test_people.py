"""Who may do what to whom, between two people."""

import asyncio

import pytest

from joule.identity import queries
from joule.identity.actions import (
    ChangeAddress,
    ChangeRole,
    DeactivatePerson,
    EndAllSessions,
    InvitePerson,
    IssueSignInLink,
    RenameOrganisation,
    RenamePerson,
    Secret,
    SignInWithLink,
)
from joule.identity.deployment import DEPLOYMENT
from joule.identity.errors import AddressTaken, DetailUnfit, LastOwner, NotYours, SignInFailed
from joule.identity.queries import SignedInPerson
from joule.kernel.action import Action
from joule.kernel.errors import NotFound
from joule.kernel.principal import Principal, Role, Via
from tests.identity.conftest import PASSWORD, Room, anonymous, system


async def test_an_invited_person_is_a_member_from_their_first_sign_in(room: Room) -> None:
    owner = await room.owner()
    invited = await room.perform(
        InvitePerson(principal=owner.principal, person_name="Mia", email="mia@acme.example", role=Role.MEMBER)
    )
    before = [(each.name, each.email, each.role, each.status) for each in await room.people(owner.org)]

    await room.perform(SignInWithLink(principal=anonymous(owner.org), token=invited.token))

    assert before[1] == ("Mia", "mia@acme.example", Role.MEMBER, "invited")
    assert [each.status for each in await room.people(owner.org)] == ["active", "active"]


async def test_the_last_owner_can_neither_step_down_nor_be_removed(room: Room) -> None:
    owner = await room.owner()
    await room.perform(
        InvitePerson(principal=owner.principal, person_name="Oz", email="oz@acme.example", role=Role.OWNER)
    )  # who has never signed in, and so may never

    for action in (
        ChangeRole(principal=owner.principal, person=owner.person, role=Role.ADMIN),
        DeactivatePerson(principal=owner.principal, person=owner.person),
        DeactivatePerson(principal=system(owner.org), person=owner.person),
    ):
        with pytest.raises(LastOwner):
            await room.perform(action)
    second = await room.join(owner, Role.OWNER, "oda@acme.example")
    await room.perform(ChangeRole(principal=second.principal, person=owner.person, role=Role.ADMIN))

    assert {each.person: each.role for each in await room.people(owner.org)}[owner.person] is Role.ADMIN


async def test_two_owners_who_demote_each_other_at_once_leave_one(room: Room) -> None:
    owner = await room.owner()
    second = await room.join(owner, Role.OWNER, "oda@acme.example")

    outcomes = await asyncio.gather(
        room.perform(ChangeRole(principal=owner.principal, person=second.person, role=Role.MEMBER)),
        room.perform(ChangeRole(principal=second.principal, person=owner.person, role=Role.MEMBER)),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["NotYours", "PersonChanged"]
    assert sorted(each.role for each in await room.people(owner.org)) == ["member", "owner"]


def _invite(by: SignedInPerson, _: SignedInPerson, role: Role) -> Action[object]:
    return InvitePerson(principal=by.principal, person_name="New", email="new@acme.example", role=role)  # type: ignore[return-value]


def _link(by: SignedInPerson, target: SignedInPerson, _: Role) -> Action[object]:
    return IssueSignInLink(principal=by.principal, person=target.person)  # type: ignore[return-value]


def _deactivate(by: SignedInPerson, target: SignedInPerson, _: Role) -> Action[object]:
    return DeactivatePerson(principal=by.principal, person=target.person)  # type: ignore[return-value]


def _end_all(by: SignedInPerson, target: SignedInPerson, _: Role) -> Action[object]:
    return EndAllSessions(principal=by.principal, person=target.person)  # type: ignore[return-value]


def _promote(by: SignedInPerson, target: SignedInPerson, _: Role) -> Action[object]:
    return ChangeRole(principal=by.principal, person=target.person, role=Role.SUPPORT)  # type: ignore[return-value]


REACH = {
    Role.OWNER: {Role.OWNER, Role.ADMIN, Role.MEMBER, Role.SUPPORT},
    Role.ADMIN: {Role.MEMBER, Role.SUPPORT},
    Role.MEMBER: set(),
    Role.SUPPORT: set(),
}


@pytest.mark.parametrize("by", REACH)
async def test_nobody_governs_upwards(room: Room, by: Role) -> None:
    owner = await room.owner()
    actor = await room.join(owner, by, "actor@acme.example")
    number = 0

    for role in (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.SUPPORT):
        for act in (_link, _end_all, _promote, _deactivate, _invite):
            number += 1
            target = await room.join(owner, role, f"target{number}@acme.example")
            action = act(actor, target, role)
            if role in REACH[by]:
                await room.perform(action)
            else:
                with pytest.raises(NotYours):
                    await room.perform(action)
        if role in REACH[by]:  # the invited one is out of the way of the next
            new = next(each for each in await room.people(owner.org) if each.status == "invited")
            await room.perform(DeactivatePerson(principal=owner.principal, person=new.person))


async def test_an_admin_makes_nobody_more_than_they_govern(room: Room) -> None:
    owner = await room.owner()
    admin = await room.join(owner, Role.ADMIN, "ada@acme.example")
    member = await room.join(owner, Role.MEMBER, "mia@acme.example")

    for role in (Role.OWNER, Role.ADMIN, Role.SYSTEM, Role.ANONYMOUS):
        with pytest.raises(NotYours):
            await room.perform(ChangeRole(principal=admin.principal, person=member.person, role=role))
    await room.perform(ChangeRole(principal=admin.principal, person=member.person, role=Role.SUPPORT))


async def test_a_page_opened_in_a_former_role_gives_none_of_its_rights(room: Room) -> None:
    owner = await room.owner()
    admin = await room.join(owner, Role.ADMIN, "ada@acme.example")
    member = await room.join(owner, Role.MEMBER, "mia@acme.example")
    await room.perform(ChangeRole(principal=owner.principal, person=admin.person, role=Role.MEMBER))

    with pytest.raises(NotYours):  # the principal still says admin
        await room.perform(DeactivatePerson(principal=admin.principal, person=member.person))


async def test_the_agent_touches_nobodys_account_whoever_it_works_for(room: Room) -> None:
    owner = await room.owner()
    await room.perform(RenamePerson(principal=owner.principal, person_name="Olga I"))

    with pytest.raises(NotYours):
        await room.perform(RenamePerson(principal=owner.principal.as_agent(), person_name="Olga II"))
    with pytest.raises(NotYours):
        await room.perform(IssueSignInLink(principal=owner.principal.as_agent(), person=owner.person))
    forged = Principal(org=owner.org, person=None, role=Role.SYSTEM, via=Via.PERSON)
    with pytest.raises(NotYours):  # nor does somebody who only says they are the system
        await room.perform(IssueSignInLink(principal=forged, person=owner.person))

    assert [each.name for each in await room.people(owner.org)] == ["Olga I"]


async def test_an_address_is_one_persons_in_an_organisation_and_free_in_another(room: Room) -> None:
    owner = await room.owner()
    other = await room.owner("otto@other.example")

    with pytest.raises(AddressTaken):
        await room.join(owner, Role.MEMBER, "OLGA@acme.example")
    elsewhere = await room.join(other, Role.MEMBER, "olga@acme.example")
    await room.give_password(elsewhere)

    assert (await room.visit(await room.by_password("olga@acme.example"))).org == other.org


async def test_the_oldest_account_with_a_password_is_the_one_a_password_opens(room: Room) -> None:
    first, second = await room.owner("ann@x.example"), await room.owner("bob@x.example")
    account = await room.join(first, Role.MEMBER, "olga@acme.example")
    later = await room.join(second, Role.MEMBER, "olga@acme.example")
    await room.give_password(later, "planted by somebody else")
    await room.give_password(account)

    assert (await room.visit(await room.by_password("olga@acme.example"))).org == first.org
    assert (await room.addresses.organisation_of("nobody@x.example")) == DEPLOYMENT


async def test_an_address_can_be_invited_again_once_its_person_is_gone(room: Room) -> None:
    owner = await room.owner()
    member = await room.join(owner, Role.MEMBER, "mia@acme.example")
    await room.perform(DeactivatePerson(principal=owner.principal, person=member.person))

    back = await room.join(owner, Role.MEMBER, "mia@acme.example")

    assert back.person != member.person
    with pytest.raises(NotFound):
        await room.perform(DeactivatePerson(principal=owner.principal, person=member.person))


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "Mia\x00", "Mia\u202eaiM"])
async def test_a_name_that_cannot_be_shown_is_not_taken(room: Room, name: str) -> None:
    owner = await room.owner()
    await room.perform(RenamePerson(principal=owner.principal, person_name="  Åsa   Öst  "))

    with pytest.raises(DetailUnfit):
        await room.perform(RenamePerson(principal=owner.principal, person_name=name))

    assert [each.name for each in await room.people(owner.org)] == ["Åsa Öst"]


async def test_the_server_finds_its_organisations_and_whom_to_print_a_link_for(room: Room) -> None:
    first, second = await room.found(), await room.found("Other", "otto@other.example")

    async with room.database.read(DEPLOYMENT) as session:
        known = await queries.organisations(session)
    async with room.database.read(second.org) as session:
        name = await queries.organisation_name(session, room.vault, second.org)
        owner = await queries.first_owner(session, second.org)

    assert set(known) == {first.org, second.org}
    assert (name, owner) == ("Other", second.person)


async def test_people_move_to_another_address_and_sign_in_by_it(room: Room) -> None:
    owner = await room.owner()
    await room.join(owner, Role.MEMBER, "mia@acme.example")
    await room.give_password(owner)
    found = await room.visit(await room.by_password("olga@acme.example"))

    with pytest.raises(SignInFailed):  # an open browser is no proof
        await room.perform(ChangeAddress(principal=found.principal, email="new@acme.example", keep=found.session))
    for email, refusal in (("MIA@acme.example", AddressTaken), ("nothing", DetailUnfit)):
        with pytest.raises(refusal):
            await room.perform(
                ChangeAddress(principal=found.principal, email=email, current=Secret(PASSWORD), keep=found.session)
            )
    changed = await room.perform(
        ChangeAddress(principal=found.principal, email="new@acme.example", current=Secret(PASSWORD), keep=found.session)
    )

    assert changed.sessions_ended == 1
    assert (await room.people(owner.org))[0].email == "new@acme.example"
    assert (await room.visit(await room.by_password("new@acme.example"))).person == owner.person
    with pytest.raises(SignInFailed):
        await room.by_password("olga@acme.example")


async def test_owners_and_admins_rename_the_organisation_and_nobody_else(room: Room) -> None:
    owner = await room.owner()
    for role, may in ((Role.ADMIN, True), (Role.MEMBER, False), (Role.SUPPORT, False)):
        person = await room.join(owner, role, f"{role.value}@acme.example")
        action = RenameOrganisation(principal=person.principal, organisation_name=f"Acme by {role.value}")
        if may:
            await room.perform(action)
        else:
            with pytest.raises(NotYours):
                await room.perform(action)

    async with room.database.read(owner.org) as session:
        assert await queries.organisation_name(session, room.vault, owner.org) == "Acme by admin"
