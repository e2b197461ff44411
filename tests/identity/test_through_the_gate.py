"""The identity room behind the real gate, with the shipped policies and the real journal."""

from importlib.resources import files
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from joule.governance.commands import Commands
from joule.governance.gate import Gate
from joule.governance.policy import Policy
from joule.identity.actions import (
    ChangeRole,
    FoundOrganisation,
    InvitePerson,
    IssueSignInLink,
    RenamePerson,
    Secret,
    SetPassword,
    SignedIn,
    SignInWithLink,
    SignInWithPassword,
)
from joule.identity.deployment import DEPLOYMENT
from joule.identity.errors import LastOwner, SignInFailed
from joule.kernel.action import Action
from joule.kernel.errors import Refused
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from tests.identity.conftest import PASSWORD, Room, anonymous, system
from traces import reader, sealing
from traces.opening import Journals

R = TypeVar("R")


@pytest.fixture
def commands(room: Room) -> Commands:
    shipped = (files("joule.governance") / "policies" / "identity.cedar").read_text()
    policy = Policy(shipped, actions=room.handler.methods())
    gate = Gate(policy=policy, permits=room.permits, handlers=[room.handler], clock=room.clock)
    journals = Journals(database=room.database, vault=room.vault, clock=room.clock)
    return Commands(gate=gate, journals=journals, retention="90d")


async def _signed_in(room: Room, commands: Commands) -> SignedIn:
    org = OrgId(new_id())
    founded = await commands.perform(
        FoundOrganisation(
            principal=system(org), organisation_name="Acme", owner_name="Olga", owner_email="olga@acme.example"
        )
    )
    link = await commands.perform(IssueSignInLink(principal=system(org), person=founded.person))
    return await commands.perform(SignInWithLink(principal=anonymous(org), token=link.token))


async def _journal(room: Room, org: OrgId) -> str:
    """Everything the journal of an organisation holds about commands, opened."""
    async with room.database.read(org) as session:
        found = (await session.execute(text("SELECT task_id, key_subject FROM trace_chain"))).all()
        events = [
            event
            for task, subject in found
            for event in await reader.events(
                session, await sealing.ring_of(session, room.vault, org, TaskId(task), subject), org, TaskId(task)
            )
        ]
    return "\n".join(map(str, events))


async def test_founding_and_signing_in_pass_the_gate_and_give_back_a_working_cookie(
    room: Room, commands: Commands
) -> None:
    signed_in = await _signed_in(room, commands)
    owner = await room.visit(signed_in)
    await commands.perform(SetPassword(principal=owner.principal, password=Secret(PASSWORD), keep=owner.session))
    org = await room.addresses.organisation_of("olga@acme.example")

    again = await commands.perform(
        SignInWithPassword(principal=anonymous(org), email="olga@acme.example", password=Secret(PASSWORD))
    )

    assert (await room.visit(again)).person == owner.person


async def test_no_token_and_no_password_reaches_the_journal(room: Room, commands: Commands) -> None:
    signed_in = await _signed_in(room, commands)
    owner = await room.visit(signed_in)
    await commands.perform(SetPassword(principal=owner.principal, password=Secret(PASSWORD), keep=owner.session))

    written = await _journal(room, owner.org)

    assert "'organisation_name': 'Acme'" in written  # the scan opens what is sealed
    assert "olga@acme.example" not in written  # so that whoever is erased stands in nobody's log of commands
    assert "identity.set_password" in written
    assert signed_in.token.get_secret_value().partition(".")[2] not in written
    assert PASSWORD not in written


async def test_a_sign_in_that_fails_leaves_a_journal_row_and_a_counted_try_and_no_session(
    room: Room, commands: Commands
) -> None:
    org = await room.addresses.organisation_of("nobody@nowhere.example")

    with pytest.raises(SignInFailed):
        await commands.perform(
            SignInWithPassword(principal=anonymous(org), email="nobody@nowhere.example", password=Secret(PASSWORD))
        )

    assert org == DEPLOYMENT
    async with room.database.read(DEPLOYMENT) as session:
        assert (await session.execute(text("SELECT count(*) FROM sign_in_try"))).scalar_one() == 1
        assert (await session.execute(text("SELECT count(*) FROM web_session"))).scalar_one() == 0
    written = await _journal(room, DEPLOYMENT)
    assert "action.failed" in written
    assert PASSWORD not in written


async def test_a_refused_change_of_role_leaves_everything_as_it_was(room: Room, commands: Commands) -> None:
    owner = await room.visit(await _signed_in(room, commands))

    with pytest.raises(LastOwner):
        await commands.perform(ChangeRole(principal=owner.principal, person=owner.person, role=Role.MEMBER))

    assert [each.role for each in await room.people(owner.org)] == [Role.OWNER]
    assert len(await room.sessions(owner.org)) == 1


async def test_the_policy_gives_each_action_to_those_it_is_for(room: Room, commands: Commands) -> None:
    owner = await room.visit(await _signed_in(room, commands))

    def one(role: Role, via: Via) -> Principal:
        return Principal(org=owner.org, person=owner.person, role=role, via=via)

    invite: dict[str, Any] = {"person_name": "M", "email": "m@acme.example", "role": Role.MEMBER}
    refusals: tuple[Action[Any], ...] = (
        InvitePerson(principal=one(Role.MEMBER, Via.PERSON), **invite),
        InvitePerson(principal=one(Role.SUPPORT, Via.PERSON), **invite),
        InvitePerson(principal=one(Role.OWNER, Via.AGENT), **invite),
        RenamePerson(principal=one(Role.OWNER, Via.AGENT), person_name="Agent"),
        RenamePerson(principal=anonymous(owner.org), person_name="Nobody"),
        SignInWithLink(principal=one(Role.OWNER, Via.AGENT), token=Secret("x")),
        IssueSignInLink(principal=anonymous(owner.org), person=owner.person),
    )
    for refused in refusals:
        with pytest.raises(Refused):
            await commands.perform(refused)
    await commands.perform(InvitePerson(principal=owner.principal, **invite))
    await commands.perform(RenamePerson(principal=owner.principal, person_name="Olga O."))

    assert [each.name for each in await room.people(owner.org)] == ["Olga O.", "M"]
