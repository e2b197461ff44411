"""A permit is spent once, on the very object it was issued for, within its time."""

import copy
import pickle
from datetime import timedelta

import pytest

from joule.kernel.errors import PermitMisused
from joule.kernel.ids import DecisionId, OrgId, TaskId, new_id
from joule.kernel.permit import LIFETIME, Permit, Permits
from joule.kernel.principal import Principal, Role, Via
from tests.support.bells import Listen, Ring
from tests.support.clock import StoppedClock


@pytest.fixture
def permits(clock: StoppedClock) -> Permits:
    return Permits(clock=clock)


@pytest.fixture
def wish() -> Ring:
    return Ring(principal=Principal(org=OrgId(new_id()), person=None, role=Role.MEMBER, via=Via.AGENT))


def issue(permits: Permits, wish: Ring) -> Permit:
    return permits.issue(wish, decision=DecisionId(new_id()), task=TaskId(new_id()))


def test_a_permit_opens_once(permits: Permits, wish: Ring):
    permit = issue(permits, wish)

    permits.admit(permit, wish)

    with pytest.raises(PermitMisused, match="used already"):
        permits.admit(permit, wish)


def test_two_permits_for_one_wish_are_two(permits: Permits, wish: Ring):
    one, other = issue(permits, wish), issue(permits, wish)

    permits.admit(other, wish)
    permits.admit(one, wish)


def test_a_permit_for_an_equal_wish_is_for_another_wish(permits: Permits, wish: Ring):
    permit, twin = issue(permits, wish), copy.copy(wish)
    assert twin == wish

    with pytest.raises(PermitMisused, match="another action"):
        permits.admit(permit, twin)
    permits.admit(permit, wish)  # and a wrong try does not spend it


def test_a_permit_for_another_kind_of_wish_opens_nothing(permits: Permits, wish: Ring):
    with pytest.raises(PermitMisused, match="another action"):
        permits.admit(issue(permits, wish), Listen(principal=wish.principal))


@pytest.mark.parametrize("forge", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_permit_is_no_permit(permits: Permits, wish: Ring, forge):
    permit = issue(permits, wish)

    with pytest.raises(PermitMisused, match="never issued"):
        permits.admit(forge(permit), wish)
    permits.admit(permit, wish)


def test_a_permit_does_not_travel(permits: Permits, wish: Ring):
    permit = issue(permits, wish)
    with pytest.raises(PermitMisused):
        permits.admit(pickle.loads(pickle.dumps(permit)), wish)


@pytest.mark.parametrize("nothing", [None, object(), "permit", 0])
def test_what_is_no_permit_opens_nothing(permits: Permits, wish: Ring, nothing):
    with pytest.raises(PermitMisused):
        permits.admit(nothing, wish)


def test_a_permit_of_another_mint_opens_nothing(permits: Permits, wish: Ring, clock: StoppedClock):
    with pytest.raises(PermitMisused):
        permits.admit(issue(Permits(clock=clock), wish), wish)


def test_a_permit_grows_old(permits: Permits, wish: Ring, clock: StoppedClock):
    young, old = issue(permits, wish), issue(permits, wish)
    clock.advance(LIFETIME)
    permits.admit(young, wish)

    clock.advance(timedelta(microseconds=1))
    with pytest.raises(PermitMisused, match="too old"):
        permits.admit(old, wish)
    with pytest.raises(PermitMisused):
        permits.admit(old, wish)


def test_a_withdrawn_permit_opens_nothing(permits: Permits, wish: Ring):
    permit = issue(permits, wish)

    permits.withdraw(permit)
    permits.withdraw(permit)

    with pytest.raises(PermitMisused):
        permits.admit(permit, wish)
