"""A permit that is not genuine, not fresh or not for this wish opens nothing, in any room."""

import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from joule.kernel.action import Action
from joule.kernel.errors import PermitMisused
from joule.kernel.ids import DecisionId, TaskId, new_id
from joule.kernel.permit import LIFETIME, Permit, Permits
from joule.kernel.settings import Settings
from memory.actions import ListFiles
from tests.support.clock import StoppedClock
from tests.support.house import Home, home
from tests.support.wishes import wish


@dataclass(kw_only=True)
class Attempt:
    """What an attacker holds: a wish, a permit that was really issued for it, and the clock."""

    action: Action[Any]
    genuine: Permit
    permits: Permits
    clock: StoppedClock
    home: Home


Attack = Callable[[Attempt], tuple[Permit, Action[Any]]]


def by_hand(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    made = Permit(
        action=attempt.action,
        decision=DecisionId(new_id()),
        task=TaskId(new_id()),
        issued_at=attempt.clock.now(),
    )
    return made, attempt.action


def by_permits_of_ones_own(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    mint = Permits(clock=attempt.clock)
    return mint.issue(attempt.action, decision=DecisionId(new_id()), task=TaskId(new_id())), attempt.action


def copied(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    return copy.copy(attempt.genuine), attempt.action


def rewritten(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    other = copy.copy(attempt.action)
    return replace(attempt.genuine, action=other), other


def for_an_equal_wish(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    other = copy.copy(attempt.action)
    assert other == attempt.action
    return attempt.genuine, other


def for_another_kind_of_wish(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    harmless = ListFiles(principal=attempt.home.owner, project=attempt.home.project)
    issued = attempt.permits.issue(harmless, decision=DecisionId(new_id()), task=TaskId(new_id()))
    return issued, attempt.action


def stale(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    attempt.clock.advance(LIFETIME + timedelta(seconds=1))
    return attempt.genuine, attempt.action


def withdrawn(attempt: Attempt) -> tuple[Permit, Action[Any]]:
    attempt.permits.withdraw(attempt.genuine)
    return attempt.genuine, attempt.action


ATTACKS: list[Attack] = [
    by_hand,
    by_permits_of_ones_own,
    copied,
    rewritten,
    for_an_equal_wish,
    for_another_kind_of_wish,
    stale,
    withdrawn,
]


@pytest.fixture
async def here(settings: Settings, clock: StoppedClock) -> AsyncIterator[Home]:
    async with home(settings, clock=clock) as found:
        yield found


async def opens(here: Home, permit: Permit, action: Action[Any], *, kind: type[Action[Any]]) -> bool:
    """Whether the method for `kind` accepts this permit. What it does then, without a transaction, may fail."""
    session = (None,) if kind.effect.is_internal else ()
    try:
        await here.house.gate.methods[kind](permit, action, *session)
    except PermitMisused:
        return False
    except Exception:  # noqa: BLE001 - it got in: what it stumbled over does not matter
        return True
    return True


def issue(here: Home, action: Action[Any]) -> Permit:
    return here.house.gate.permits.issue(action, decision=DecisionId(new_id()), task=TaskId(new_id()))


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_method_of_any_room_accepts_a_permit_that_was(here: Home, clock: StoppedClock, attack: Attack):
    opened = []
    for kind in here.house.gate.methods:
        action = wish(kind, principal=here.owner)
        genuine = issue(here, action)
        attempt = Attempt(action=action, genuine=genuine, permits=here.house.gate.permits, clock=clock, home=here)
        permit, offered = attack(attempt)
        if await opens(here, permit, offered, kind=kind):
            opened.append(kind.name)

    assert opened == []
    assert len(here.house.gate.methods) > 35


async def test_every_method_of_every_room_accepts_a_genuine_permit_once(here: Home):
    once, twice = set(), set()
    for kind in here.house.gate.methods:
        action = wish(kind, principal=here.owner)
        permit = issue(here, action)
        if await opens(here, permit, action, kind=kind):
            once.add(kind)
        if await opens(here, permit, action, kind=kind):
            twice.add(kind)

    assert once == set(here.house.gate.methods)
    assert twice == set()


async def test_a_permit_is_good_until_the_last_second(here: Home, clock: StoppedClock):
    action = ListFiles(principal=here.owner, project=here.project)
    permit = issue(here, action)
    clock.advance(LIFETIME)

    found = await here.house.gate.methods[ListFiles](permit, action)

    assert found.files == ()
