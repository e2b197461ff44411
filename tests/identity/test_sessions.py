"""Sessions: they end when they should, everywhere at once, and never pass from one person or role to another."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from joule.identity.actions import (
    AgentFamily,
    ChangeRole,
    DeactivatePerson,
    EndAllSessions,
    EndSession,
    SignInWithLink,
    SignOut,
)
from joule.identity.errors import LinkUnusable, NotYours, SignInFailed
from joule.identity.upkeep import forget_ended
from joule.kernel.errors import NotFound, PermitMisused
from joule.kernel.ids import DecisionId, TaskId, new_id
from joule.kernel.principal import Role
from tests.identity.conftest import Room, anonymous


@pytest.mark.parametrize(("hours", "alive"), [(11, True), (12, False)])
async def test_a_session_nobody_uses_ends(room: Room, hours: int, alive: bool) -> None:
    founded = await room.found()
    cookie = (await room.enter(founded.org, founded.person)).token.get_secret_value()

    room.clock.advance(timedelta(hours=hours))

    assert (await room.visitors.who(cookie) is not None) is alive


async def test_a_session_in_use_ends_after_a_week_all_the_same(room: Room) -> None:
    founded = await room.found()
    cookie = (await room.enter(founded.org, founded.person)).token.get_secret_value()
    visits = []

    for _ in range(17):
        room.clock.advance(timedelta(hours=10))
        visits.append(await room.visitors.who(cookie) is not None)

    assert visits == [True] * 16 + [False]


async def test_a_visit_is_noted_at_most_once_a_minute(room: Room) -> None:
    founded = await room.found()
    cookie = (await room.enter(founded.org, founded.person)).token.get_secret_value()
    began = room.clock.now()

    room.clock.advance(timedelta(seconds=59))
    await room.visitors.who(cookie)
    soon = (await room.sessions(founded.org))[0].last_seen_at
    room.clock.advance(timedelta(seconds=1))
    await room.visitors.who(cookie)
    later = (await room.sessions(founded.org))[0].last_seen_at

    assert (soon, later) == (began, began + timedelta(minutes=1))


async def test_signing_in_ends_the_session_the_browser_brought(room: Room) -> None:
    founded = await room.found()
    planted = await room.enter(founded.org, founded.person)
    link = await room.link(founded.org, founded.person)

    fresh = await room.perform(
        SignInWithLink(
            principal=anonymous(founded.org), token=link, replaces=planted.session, agent=AgentFamily.FIREFOX
        )
    )

    assert fresh.token.get_secret_value() != planted.token.get_secret_value()
    assert await room.visitors.who(planted.token.get_secret_value()) is None
    assert [(each.session, each.agent) for each in await room.sessions(founded.org)] == [
        (fresh.session, AgentFamily.FIREFOX)
    ]


async def test_signing_out_ends_this_session_and_no_other(room: Room) -> None:
    owner = await room.owner()
    other = await room.enter(owner.org, owner.person)

    await room.perform(SignOut(principal=owner.principal, session=owner.session))
    again = await room.perform(SignOut(principal=owner.principal, session=owner.session))

    assert again.count == 0
    assert [each.session for each in await room.sessions(owner.org)] == [other.session]


async def test_people_end_their_own_sessions_and_those_of_people_they_govern(room: Room) -> None:
    owner = await room.owner()
    admin = await room.join(owner, Role.ADMIN, "ada@acme.example")
    member = await room.join(owner, Role.MEMBER, "mia@acme.example")
    other = await room.join(owner, Role.MEMBER, "max@acme.example")

    with pytest.raises(NotYours):
        await room.perform(EndSession(principal=member.principal, session=other.session))
    with pytest.raises(NotYours):
        await room.perform(EndSession(principal=admin.principal, session=owner.session))
    await room.perform(EndSession(principal=admin.principal, session=other.session))
    await room.perform(EndSession(principal=member.principal, session=member.session))

    assert {each.person for each in await room.sessions(owner.org)} == {owner.person, admin.person}


async def test_a_session_of_another_organisation_cannot_be_seen_or_ended(room: Room) -> None:
    acme, other = await room.owner(), await room.owner("otto@other.example")

    with pytest.raises(NotFound):
        await room.perform(EndSession(principal=acme.principal, session=other.session))

    assert {each.person for each in await room.sessions(acme.org)} == {acme.person}
    assert await room.sessions(acme.org, other.person) == ()
    assert len(await room.sessions(other.org)) == 1


async def test_a_deactivated_person_is_out_at_once(room: Room) -> None:
    owner = await room.owner()
    member = await room.join(owner, Role.MEMBER, "mia@acme.example")
    await room.give_password(member)
    second = await room.by_password("mia@acme.example")
    link = await room.link(owner.org, member.person)

    changed = await room.perform(DeactivatePerson(principal=owner.principal, person=member.person))

    assert changed.sessions_ended == 2
    assert await room.visitors.who(second.token.get_secret_value()) is None
    with pytest.raises(LinkUnusable):
        await room.perform(SignInWithLink(principal=anonymous(owner.org), token=link))
    with pytest.raises(SignInFailed):
        await room.by_password("mia@acme.example")
    with pytest.raises(NotYours):
        await room.perform(SignOut(principal=member.principal, session=member.session))


async def test_a_changed_role_ends_the_sessions_opened_in_the_old_one(room: Room) -> None:
    owner = await room.owner()
    member = await room.join(owner, Role.MEMBER, "mia@acme.example")

    same = await room.perform(ChangeRole(principal=owner.principal, person=member.person, role=Role.MEMBER))
    changed = await room.perform(ChangeRole(principal=owner.principal, person=member.person, role=Role.SUPPORT))

    assert (same.sessions_ended, changed.sessions_ended) == (0, 1)
    assert await room.sessions(owner.org, member.person) == ()
    assert (await room.visit(await room.enter(owner.org, member.person))).role is Role.SUPPORT


async def test_credentials_in_wrong_hands_are_all_ended_by_one_action(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    stolen = await room.by_password("olga@acme.example")
    link = await room.link(owner.org, owner.person)

    ended = await room.perform(EndAllSessions(principal=owner.principal, person=owner.person))

    assert ended.count == 2
    assert await room.visitors.who(stolen.token.get_secret_value()) is None
    with pytest.raises(SignInFailed):
        await room.by_password("olga@acme.example")
    with pytest.raises(LinkUnusable):
        await room.perform(SignInWithLink(principal=anonymous(owner.org), token=link))


async def test_ended_sessions_and_links_are_forgotten_after_a_month(room: Room) -> None:
    owner = await room.owner()
    await room.perform(SignOut(principal=owner.principal, session=owner.session))

    async with room.database.write(owner.org) as session:
        early = await forget_ended(session, owner.org, now=room.clock.now())
    room.clock.advance(timedelta(days=31))
    async with room.database.write(owner.org) as session:
        late = await forget_ended(session, owner.org, now=room.clock.now())
        left = (await session.execute(text("SELECT count(*) FROM web_session"))).scalar_one()

    assert (early, late, left) == (0, 2, 0)


async def test_no_identity_action_happens_without_its_permit(room: Room) -> None:
    owner = await room.owner()
    action = SignOut(principal=owner.principal, session=owner.session)
    permit = room.permits.issue(action, decision=DecisionId(new_id()), task=TaskId(new_id()))
    room.permits.withdraw(permit)

    for kind, method in room.handler.methods().items():
        async with room.database.write(owner.org) as session:
            with pytest.raises(PermitMisused):
                await method(permit, action, session)
        assert kind.name.startswith("identity.")

    assert len(await room.sessions(owner.org)) == 1
