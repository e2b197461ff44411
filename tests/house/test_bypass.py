"""There is no way round the gate: each of the ways that lead round LangGraph's hooks ends at it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from joule.assembly import House, open_house
from joule.bench import _attempts, _hooks
from joule.bench._attempts import ATTEMPTS
from joule.bench._post import POLICY, PostOffice, Provider
from joule.bench._trial import Attempt, attempt
from joule.kernel.settings import Settings
from joule.vault.local_key_file import LocalKeyFile


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
async def house(settings: Settings, office: PostOffice) -> AsyncIterator[House]:
    LocalKeyFile.create(settings.key_file)
    provider = Provider(ledger=office.ledger)
    async with open_house(settings, model=provider, more=[office], more_policy=POLICY) as standing:
        yield standing


@pytest.mark.parametrize("each", ATTEMPTS, ids=lambda each: each.name)
async def test_no_effect_happens_without_a_decision_for_exactly_that_effect(
    house: House, office: PostOffice, each: Attempt
):
    outcome = await attempt(each, house=house, office=office)

    assert outcome.through == 0
    assert outcome.effects == each.effects  # it did get as far as it may


class Open:
    """A door without a lock."""

    def admit(self, permit: Any, action: Any) -> None:
        """Everybody in."""


@pytest.mark.parametrize("go", [_attempts.forged_permit, _attempts.stolen_permit, _attempts.kept_permit])
async def test_without_permits_the_same_ways_lead_through(house: House, office: PostOffice, go: Any):
    each = Attempt(name=go.__name__, go=go, effects=0)

    outcome = await attempt(each, house=house, office=office, admission=Open())

    assert outcome.through > 0


NOT_A_WAY = {"plain_call", "parallel_duplicates"}


@pytest.mark.parametrize("each", _hooks.ATTEMPTS, ids=lambda each: each.name)
async def test_the_same_ways_lead_round_the_hooks(each: _hooks.Attempt):
    through = await _hooks.attempt(each)

    assert (through > 0) is (each.name not in NOT_A_WAY)
