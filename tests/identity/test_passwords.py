"""Signing in by password: the same answer, the same path and the same cost for everybody it does not let in."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import text

from joule.identity._throttle import ALTOGETHER, PER_ADDRESS, WINDOW
from joule.identity.actions import Secret, SetPassword
from joule.identity.deployment import DEPLOYMENT
from joule.identity.errors import PasswordUnfit, SignInBusy, SignInFailed, TooManyTries
from joule.identity.passwords import Passwords, check_fit
from joule.kernel.errors import JouleError
from joule.kernel.ids import new_id
from joule.kernel.principal import Role
from tests.identity.conftest import CHEAP, PASSWORD, Room

OTHER = "another sentence entirely"


class CountingHasher(PasswordHasher):
    """Notes the parameters of each hash it is asked to check."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.checked: list[object] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's word
        self.checked.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


async def test_a_person_signs_in_by_address_and_password_without_naming_the_organisation(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)

    person = await room.visit(await room.by_password(" Olga@ACME.example "))

    assert (person.org, person.person, person.has_password) == (owner.org, owner.person, True)


async def test_whatever_is_wrong_the_answer_and_the_work_are_the_same(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    await room.join(owner, Role.MEMBER, "no-password@acme.example")
    hasher = CountingHasher()
    seen = room.with_passwords(Passwords(hasher=hasher))
    answers = []

    for email in ("olga@acme.example", "no-password@acme.example", "nobody@nowhere.example", "not an address"):
        with pytest.raises(JouleError) as failed:
            await seen.by_password(email, OTHER)
        answers.append((type(failed.value), str(failed.value), failed.value.advice()))
    await seen.by_password("olga@acme.example")

    assert len(set(answers)) == 1
    assert len(hasher.checked) == 5
    assert len(set(map(str, hasher.checked))) == 1


async def test_the_hash_of_nobody_lets_nobody_in() -> None:
    passwords = Passwords(hasher=CHEAP)

    assert not await passwords.matches(None, Secret(""))
    assert not await passwords.matches("not a hash", Secret(PASSWORD))
    assert not await passwords.matches(await passwords.hash(Secret(PASSWORD)), Secret(PASSWORD + " "))
    assert await passwords.matches(await passwords.hash(Secret(PASSWORD)), Secret(PASSWORD))


async def test_too_many_wrong_passwords_shut_an_address_also_for_the_right_one_until_time_passes(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)

    for _ in range(PER_ADDRESS):
        with pytest.raises(SignInFailed):
            await room.by_password("olga@acme.example", OTHER)
    with pytest.raises(TooManyTries):
        await room.by_password("olga@acme.example")
    with pytest.raises(SignInFailed):
        await room.by_password("nobody@nowhere.example", OTHER)
    room.clock.advance(WINDOW)

    assert (await room.visit(await room.by_password("olga@acme.example"))).person == owner.person


async def test_the_right_password_takes_the_wrong_ones_back(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)

    for _ in range(3):
        for _ in range(PER_ADDRESS - 1):
            with pytest.raises(SignInFailed):
                await room.by_password("olga@acme.example", OTHER)
        await room.by_password("olga@acme.example")

    assert await _tries(room) == 0


async def test_many_addresses_tried_a_little_each_are_stopped_too(room: Room) -> None:
    async with room.database.write(DEPLOYMENT) as session:
        await session.execute(
            text(
                "INSERT INTO sign_in_try SELECT :org, gen_random_uuid(), sha256(n::text::bytea), :now, :decision "
                "FROM generate_series(1, :many) AS n"
            ),
            {"org": DEPLOYMENT, "now": room.clock.now(), "decision": new_id(), "many": ALTOGETHER - 1},
        )

    with pytest.raises(SignInFailed):
        await room.by_password("one@nowhere.example", OTHER)
    with pytest.raises(TooManyTries):
        await room.by_password("two@nowhere.example", OTHER)


async def test_tries_at_the_same_moment_are_all_counted(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    await asyncio.gather(*(room.by_password("olga@acme.example", OTHER) for _ in range(3)), return_exceptions=True)

    assert await _tries(room) == 3


async def test_no_password_is_checked_when_a_try_cannot_be_counted(room: Room, owner_url: str) -> None:
    import psycopg

    owner = await room.owner()
    await room.give_password(owner)
    hasher = CountingHasher()
    seen = room.with_passwords(Passwords(hasher=hasher))
    await seen.by_password("olga@acme.example")  # the guard is not what stops it
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON sign_in_try FROM joule_app")

    with pytest.raises(Exception, match="permission denied"):
        await seen.by_password("olga@acme.example")

    assert len(hasher.checked) == 1


async def test_a_full_queue_turns_people_away_before_they_hold_anything(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    passwords = Passwords(hasher=CHEAP, at_once=1, waiting=0)
    busy = room.with_passwords(passwords)

    async with passwords.turn():
        with pytest.raises(SignInBusy):
            await busy.by_password("olga@acme.example")

    assert await _tries(room) == 0
    await busy.by_password("olga@acme.example")


async def test_a_flood_of_sign_ins_on_a_small_pool_ends_at_once_for_everybody(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    flood = room.with_passwords(Passwords(hasher=CHEAP, at_once=1, waiting=1))  # five connections, two each

    async with asyncio.timeout(8):  # a pool with none left would wait for ten seconds
        outcomes = await asyncio.gather(
            *(flood.by_password("olga@acme.example") for _ in range(20)), return_exceptions=True
        )

    assert {type(each).__name__ for each in outcomes} <= {"SignedIn", "SignInBusy"}
    assert any(type(each).__name__ == "SignedIn" for each in outcomes)


@pytest.mark.parametrize("connections", [2, 3, 4, 5, 8, 10, 50])
async def test_no_more_people_wait_for_a_password_check_than_half_the_connections(connections: int) -> None:
    passwords = Passwords.for_pool(connections)

    async with AsyncExitStack() as inside:
        for _ in range(min(6, connections // 2)):
            await inside.enter_async_context(passwords.turn())
        with pytest.raises(SignInBusy):
            await inside.enter_async_context(passwords.turn())


async def test_a_hash_with_old_parameters_is_renewed_at_the_next_sign_in(room: Room, owner_url: str) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    stronger = room.with_passwords(Passwords(hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)))

    await stronger.by_password("olga@acme.example")

    async with room.database.read(owner.org) as session:
        stored = (await session.execute(text("SELECT password_hash FROM person"))).scalar_one()
    assert extract_parameters(stored).time_cost == 2
    await stronger.by_password("olga@acme.example")


@pytest.mark.parametrize(
    "password",
    ["", "short", "elevenchars", "aaaaaaaaaaaaaaaa", "x y" * 400, "Olga of Acme Ltd", "olga@acme-limited.example"],
)
def test_a_password_that_is_easily_guessed_is_not_taken(password: str) -> None:
    check_fit(Secret(PASSWORD), name="Olga of Acme Ltd", email="olga@acme-limited.example")

    with pytest.raises(PasswordUnfit):
        check_fit(Secret(password), name="Olga of Acme Ltd", email="olga@acme-limited.example")


async def test_an_unfit_password_changes_nothing(room: Room) -> None:
    owner = await room.owner()

    with pytest.raises(PasswordUnfit):
        await room.give_password(owner, "olga@acme.example")

    with pytest.raises(SignInFailed):
        await room.by_password("olga@acme.example", "olga@acme.example")


async def test_a_new_password_ends_every_other_session(room: Room) -> None:
    owner = await room.owner()
    other = await room.enter(owner.org, owner.person)

    await room.give_password(owner)

    assert await room.visitors.who(other.token.get_secret_value()) is None
    assert [each.session for each in await room.sessions(owner.org)] == [owner.session]


async def test_whoever_finds_an_open_browser_cannot_take_the_account_over(room: Room) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    found = await room.visit(await room.by_password("olga@acme.example"))
    change: dict[str, Any] = {"principal": found.principal, "password": Secret(OTHER), "keep": found.session}

    with pytest.raises(SignInFailed):
        await room.perform(SetPassword(**change))
    with pytest.raises(SignInFailed):
        await room.perform(SetPassword(**change, current=Secret("a guess, and a wrong one")))
    await room.perform(SetPassword(**change, current=Secret(PASSWORD)))

    await room.by_password("olga@acme.example", OTHER)


@pytest.mark.parametrize(("minutes", "allowed"), [(14, True), (15, False)])
async def test_a_forgotten_password_is_replaced_soon_after_signing_in_by_a_link(
    room: Room, minutes: int, allowed: bool
) -> None:
    owner = await room.owner()
    await room.give_password(owner)
    back = await room.visit(await room.enter(owner.org, owner.person))
    room.clock.advance(timedelta(minutes=minutes))

    try:
        await room.give_password(back, OTHER)
    except SignInFailed:
        assert not allowed
    else:
        assert allowed


async def _tries(room: Room) -> int:
    async with room.database.read(DEPLOYMENT) as session:
        return int((await session.execute(text("SELECT count(*) FROM sign_in_try"))).scalar_one())
