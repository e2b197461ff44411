"""Sign-in links: once, in time, by one person."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from joule.identity.actions import FoundOrganisation, IssueSignInLink, Secret, SignInWithLink
from joule.identity.errors import DetailUnfit, LinkUnusable, NotYours, OrganisationExists
from joule.identity.tokens import organisation_of
from joule.kernel.ids import OrgId, new_id
from joule.kernel.principal import Role
from tests.identity.conftest import Room, anonymous, system


async def test_the_first_owner_signs_in_by_the_printed_link(room: Room) -> None:
    founded = await room.found()
    token = await room.link(founded.org, founded.person)

    person = await room.visit(await room.perform(SignInWithLink(principal=anonymous(founded.org), token=token)))

    assert organisation_of(token) == founded.org
    assert (person.person, person.role, person.name) == (founded.person, Role.OWNER, "Olga")
    assert [each.status for each in await room.people(founded.org)] == ["active"]


async def test_an_organisation_is_founded_once_and_by_the_server_alone(room: Room) -> None:
    founded = await room.found()
    again: dict[str, Any] = {"organisation_name": "Acme", "owner_name": "Olga", "owner_email": "o@acme.example"}

    with pytest.raises(OrganisationExists):
        await room.perform(FoundOrganisation(principal=system(founded.org), **again))
    with pytest.raises(NotYours):
        await room.perform(FoundOrganisation(principal=anonymous(OrgId(new_id())), **again))


@pytest.mark.parametrize(
    "email", ["", "olga", "olga@", "@acme.example", "o lga@acme.example", "a@b@c", "x" * 250 + "@a.b"]
)
async def test_what_is_no_address_founds_nothing(room: Room, email: str) -> None:
    with pytest.raises(DetailUnfit):
        await room.found(email=email)


async def test_a_link_works_once(room: Room) -> None:
    founded = await room.found()
    use = SignInWithLink(principal=anonymous(founded.org), token=await room.link(founded.org, founded.person))
    await room.perform(use)

    with pytest.raises(LinkUnusable):
        await room.perform(use)


async def test_of_two_who_use_a_link_at_once_one_gets_in(room: Room) -> None:
    founded = await room.found()
    token = await room.link(founded.org, founded.person)
    uses = [SignInWithLink(principal=anonymous(founded.org), token=token) for _ in range(4)]

    outcomes = await asyncio.gather(*map(room.perform, uses), return_exceptions=True)

    assert sorted(type(each).__name__ for each in outcomes) == ["LinkUnusable"] * 3 + ["SignedIn"]
    assert len(await room.sessions(founded.org)) == 1


@pytest.mark.parametrize(("minutes", "works"), [(59, True), (60, False)])
async def test_the_servers_link_lives_for_an_hour(room: Room, minutes: int, works: bool) -> None:
    founded = await room.found()
    token = await room.link(founded.org, founded.person)

    room.clock.advance(timedelta(minutes=minutes))

    assert await _works(room, founded.org, token) is works


@pytest.mark.parametrize(("minutes", "works"), [(14, True), (15, False)])
async def test_a_colleagues_link_lives_for_a_quarter_of_an_hour(room: Room, minutes: int, works: bool) -> None:
    owner = await room.owner()
    member = await room.join(owner, Role.MEMBER, "mia@acme.example")
    link = await room.perform(IssueSignInLink(principal=owner.principal, person=member.person))

    room.clock.advance(timedelta(minutes=minutes))

    assert await _works(room, owner.org, link.token) is works


async def test_a_session_token_is_no_link_and_a_link_no_session(room: Room) -> None:
    founded = await room.found()
    link = await room.link(founded.org, founded.person)
    assert await room.visitors.who(link.get_secret_value()) is None

    signed_in = await room.perform(SignInWithLink(principal=anonymous(founded.org), token=link))

    assert not await _works(room, founded.org, signed_in.token)


@pytest.mark.parametrize("token", ["", ".", "x", "0" * 32 + ".", "0" * 32 + "." + "A" * 43, "ü" * 32 + "." + "A" * 43])
async def test_what_is_no_token_opens_nothing(room: Room, token: str) -> None:
    founded = await room.found()

    assert not await _works(room, founded.org, Secret(token))
    assert await room.visitors.who(token) is None


async def test_a_link_of_one_organisation_opens_nothing_in_another(room: Room) -> None:
    acme, other = await room.found(), await room.found("Other", "otto@other.example")
    token = await room.link(acme.org, acme.person)
    moved = Secret(f"{other.org.hex}.{token.get_secret_value().partition('.')[2]}")

    assert not await _works(room, other.org, token)
    assert not await _works(room, other.org, moved)
    assert await _works(room, acme.org, token)


async def _works(room: Room, org: OrgId, token: Secret) -> bool:
    try:
        await room.perform(SignInWithLink(principal=anonymous(org), token=token))
    except LinkUnusable:
        return False
    return True
