"""What a stolen database, a journal row or another organisation would show: no token, password, name or address."""

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from joule.identity import actions
from joule.identity.actions import Invited, InvitePerson, Secret, SetPassword, SignInWithLink, SignInWithPassword
from joule.identity.addresses import same_address
from joule.identity.deployment import DEPLOYMENT
from joule.kernel.action import Action, result_codec
from joule.kernel.ids import DecisionId, OrgId, TaskId, new_id
from joule.kernel.principal import Role
from tests.identity.conftest import PASSWORD, Room, anonymous

TABLES = ("organisation", "person", "person_address", "web_session", "sign_in_link", "sign_in_try")


def _dump(url: str, org: OrgId) -> bytes:
    """Every row of the room in one organisation, as a backup would hold it."""
    rows = []
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('joule.org', %s, true)", [str(org)])
        for table in TABLES:
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall():
                rows += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(rows)


async def test_no_secret_and_no_name_stands_in_the_database(room: Room, owner_url: str) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    cookie = (await room.by_password("olga@acme.example")).token.get_secret_value()
    link = (await room.link(owner.org, owner.person)).get_secret_value()

    dump = _dump(owner_url, owner.org) + _dump(owner_url, DEPLOYMENT)

    assert str(owner.person).encode() in dump  # the scan sees the rows
    for secret in (cookie, link, PASSWORD, "Olga", "olga@acme.example", "Acme"):
        assert secret.encode() not in dump
        assert secret.rpartition(".")[2].encode() not in dump or secret == "olga@acme.example"


async def test_an_address_cannot_be_guessed_from_its_key_without_the_vault(room: Room) -> None:
    import hashlib

    await room.found()
    key = await room.addresses.key_of("olga@acme.example")

    assert key == await room.addresses.key_of("OLGA@acme.example")
    assert key != await room.addresses.key_of("olga@acme.example2")
    assert key != hashlib.sha256(same_address("olga@acme.example").encode()).digest()


async def test_secrets_are_stars_in_the_journal_in_the_commitment_and_in_a_repr(room: Room) -> None:
    owner = await room.owner()
    given: list[Action[Any]] = [
        SignInWithLink(principal=owner.principal, token=Secret("SECRET-1")),
        SignInWithPassword(principal=owner.principal, email="e", password=Secret("SECRET-3")),
        SetPassword(principal=owner.principal, password=Secret("SECRET-4"), current=Secret("SECRET-5")),
    ]
    invite = InvitePerson(principal=owner.principal, person_name="M", email="m@acme.example", role=Role.MEMBER)
    invited = await room.perform(invite)

    written = "".join(json.dumps(each.arguments()) + each.binding().decode() + repr(each) for each in given)
    result = json.dumps(result_codec(InvitePerson).dump_python(invited, mode="json")) + repr(invited)

    assert "SECRET" not in written
    assert invited.token.get_secret_value().partition(".")[2] not in result
    assert str(invited.person) in result  # the rest of the result is told
    assert isinstance(result_codec(InvitePerson).validate_python(json.loads(result.partition("}")[0] + "}")), Invited)
    assert len({len(Secret("a")), len(Secret("a" * 40))}) == 1
    with pytest.raises(AssertionError):  # the scan finds what is not a secret
        assert "member" not in json.dumps(invite.arguments())


def test_every_action_says_what_it_gives_back() -> None:
    found = [each for each in vars(actions).values() if isinstance(each, type) and issubclass(each, Action)]
    made = [each for each in found if each is not Action]

    assert len(made) == 14
    assert all(result_codec(each) for each in made)
    assert all(each.effect.is_internal for each in made)


async def test_rows_are_seen_by_their_own_organisation_alone(room: Room) -> None:
    acme, other = await room.owner(), await room.owner("otto@other.example")
    await room.give_password(acme)
    await room.link(acme.org, acme.person)

    for table in TABLES[:-1]:
        assert await _count(room, acme.org, table) > 0, table
        async with room.database.read(other.org) as session:
            foreign = await session.execute(
                text(f"SELECT count(*) FROM {table} WHERE org_id = :org"), {"org": acme.org}
            )
            assert foreign.scalar_one() == 0, table
        async with room.database.unscoped() as session:
            assert (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0, table


async def test_the_deployments_scope_counts_organisations_and_can_change_nothing(room: Room) -> None:
    await room.found()
    await room.found("Other", "otto@other.example")

    assert [await _count(room, DEPLOYMENT, table) for table in TABLES[:-1]] == [2, 0, 0, 0, 0]
    async with room.database.write(DEPLOYMENT) as session:
        for change in ("DELETE FROM organisation", "UPDATE organisation SET name = ''"):
            assert (await session.execute(text(change + " RETURNING 1"))).all() == []


async def test_an_address_row_is_shown_for_its_exact_key_and_for_nothing_less(room: Room) -> None:
    await room.found()
    key = (await room.addresses.key_of("olga@acme.example")).hex()

    assert await _shown(room, key) == 1
    for other in ("", key[:-2], key[:-2] + "00", "00" * 32):
        assert await _shown(room, other) == 0
    async with room.database.write(DEPLOYMENT) as session:
        await session.execute(text("SELECT set_config('joule.address_key', :key, true)"), {"key": key})
        assert (await session.execute(text("DELETE FROM person_address RETURNING 1"))).all() == []


async def test_every_row_an_action_makes_or_changes_names_its_decision(room: Room) -> None:
    founded = await room.owner()
    invite = InvitePerson(principal=founded.principal, person_name="M", email="m@acme.example", role=Role.MEMBER)
    invited = await room.perform(invite)
    action = SignInWithLink(principal=anonymous(founded.org), token=invited.token)
    decision = DecisionId(new_id())
    permit = room.permits.issue(action, decision=decision, task=TaskId(new_id()))

    async with room.database.write(founded.org) as session:
        await room.handler.sign_in_with_link(permit, action, session)

    async with room.database.read(founded.org) as session:
        for table, column in (("person", "id"), ("web_session", "person_id"), ("sign_in_link", "person_id")):
            chosen = text(f"SELECT decision_id FROM {table} WHERE {column} = :person")
            told = (await session.execute(chosen, {"person": invited.person})).scalars().all()
            assert told == [decision], table


async def _count(room: Room, org: OrgId, table: str) -> int:
    async with room.database.read(org) as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def _shown(room: Room, key: str) -> int:
    async with room.database.read(DEPLOYMENT) as session:
        await session.execute(text("SELECT set_config('joule.address_key', :key, true)"), {"key": key})
        return int((await session.execute(text("SELECT count(*) FROM person_address"))).scalar_one())
