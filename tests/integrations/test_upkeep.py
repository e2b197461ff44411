"""Tokens in use are renewed ahead of need; accounts nobody uses are left alone, and not allowed to lapse."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from integrations import grants
from integrations.actions import ReadFromProvider, RefreshGrant
from integrations.catalogue.load import catalogue
from integrations.demo import PROVIDER
from integrations.oauth.secret import Secret
from integrations.oauth.wire import TokenSet
from joule.assembly.upkeep import account_upkeep_of
from joule.kernel.errors import Refused
from tests.support.accounts import Office
from tests.support.clock import StoppedClock

READING = ("contacts.read", "campaigns.read")


async def generation(here: Office) -> int:
    async with here.home.house.database.read(here.home.org) as session:
        return int(await session.scalar(text("SELECT generation FROM oauth_grant")) or 0)


async def used(here: Office, connection: object) -> None:
    await here.do(
        ReadFromProvider(
            principal=here.owner,
            connection=connection,  # type: ignore[arg-type]
            provider=PROVIDER,
            operation="read_contacts",
            inputs="{}",
        )
    )


async def test_tokens_in_use_are_renewed_ahead_of_need(here: Office, clock: StoppedClock):
    made = await here.connect(*READING)
    clock.advance(timedelta(minutes=2))
    await used(here, made.connection)
    upkeep = account_upkeep_of(here.home.house)
    assert (await upkeep.run()).renewed == 0
    assert await generation(here) == 1

    clock.advance(timedelta(minutes=11))
    assert (await upkeep.run()).renewed == 1

    assert await generation(here) == 2
    assert (await upkeep.run()).renewed == 0


async def test_an_account_nobody_uses_does_not_keep_its_provider_busy(here: Office, clock: StoppedClock):
    made = await here.connect(*READING)
    clock.advance(timedelta(minutes=13))

    await account_upkeep_of(here.home.house).run()

    assert await generation(here) == 1
    await used(here, made.connection)  # and is renewed when somebody does
    assert await generation(here) == 2


async def test_only_the_system_renews_ahead(here: Office):
    made = await here.connect(*READING)

    for who in (here.owner, here.owner.as_agent()):
        with pytest.raises(Refused):
            await here.do(RefreshGrant(principal=who, grant=made.grant))


def tokens(now: datetime, life: timedelta) -> TokenSet:
    return TokenSet(access_token=Secret("a"), refresh_token=Secret("r"), received_at=now, expires_at=now + life)


def test_what_was_made_together_does_not_come_due_together(clock: StoppedClock):
    provider, now = catalogue().provider(PROVIDER), clock.now()

    due = {grants.due_at(provider, tokens(now, timedelta(hours=1)), now) for _ in range(50)}

    assert len(due) == 50
    assert all(now + timedelta(minutes=50) <= each <= now + timedelta(minutes=55) for each in due if each)


def test_every_provider_that_lets_idle_grants_lapse_is_kept_warm_before(clock: StoppedClock):
    now = clock.now()
    lapsing = [each for each in catalogue().providers.values() if each.refresh.keep_warm_days]

    assert lapsing
    for provider in lapsing:
        due = grants.due_at(provider, tokens(now, timedelta(days=400)), now)
        assert due is not None
        assert due <= now + timedelta(days=provider.refresh.keep_warm_days or 0)
