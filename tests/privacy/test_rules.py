"""Shortening holds for everything at once, lengthening for what begins tomorrow; days and classes fit together."""

from datetime import UTC, date, datetime, timedelta

import pytest

from joule.database.engine import Database
from joule.kernel.errors import Invalid
from joule.kernel.ids import DecisionId, OrgId, new_id
from tests.support.clock import StoppedClock
from traces.ending import rules
from traces.ending.rules import CLASSES, Rules

DAY = timedelta(days=1)


async def chosen(database: Database, org: OrgId, clock: StoppedClock, *days: int) -> Rules:
    """The rules after each of these was chosen, one a day."""
    async with database.write(org) as session:
        for each in days:
            decision = DecisionId(new_id())
            await rules.choose(session, org, each, default="90d", by=None, at=clock.now(), decision=decision)
            clock.advance(DAY)
        return await rules.rules_of(session, org, default="90d")


async def test_shortening_holds_for_everything_there_is(database: Database, org: OrgId, clock: StoppedClock) -> None:
    found = await chosen(database, org, clock, 30)

    assert found.on(clock.now().date() - 400 * DAY).days == 30


async def test_lengthening_holds_for_what_begins_tomorrow(database: Database, org: OrgId, clock: StoppedClock) -> None:
    today = clock.now().date()

    found = await chosen(database, org, clock, 365)

    assert [found.on(today + each * DAY).days for each in (-400, 0, 1)] == [90, 90, 365]


async def test_what_was_promised_to_go_early_still_does_after_many_changes(
    database: Database, org: OrgId, clock: StoppedClock
) -> None:
    start = clock.now().date()

    found = await chosen(database, org, clock, 10, 200, 60, 2557)

    assert [found.on(start + each * DAY).days for each in (-9, 0, 1, 2, 3, 4)] == [10, 10, 10, 60, 60, 2557]


@pytest.mark.parametrize("days", [0, 2558, -1])
async def test_days_nobody_can_promise_are_refused(
    database: Database, org: OrgId, clock: StoppedClock, days: int
) -> None:
    with pytest.raises(Invalid, match="cannot be chosen"):
        await chosen(database, org, clock, days)

    assert len((await chosen(database, org, clock, 1, 2557)).rules) > 1


def test_a_class_is_the_shortest_that_keeps_rows_long_enough() -> None:
    assert [rules.class_for(days) for days in (1, 2, 7, 8, 30, 31, 90, 91, 366, 367, 2557)] == [
        *("1d", "7d", "7d", "30d", "30d", "90d", "90d", "1y", "1y", "7y", "7y")
    ]
    assert all(rules.class_for(most) == name for name, most in CLASSES.items())


def test_a_day_ends_at_the_midnight_after_its_days() -> None:
    assert rules.ends_at(date(2026, 3, 1), 1) == datetime(2026, 3, 3, tzinfo=UTC)
