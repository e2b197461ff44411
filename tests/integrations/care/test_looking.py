"""What a person ends at the provider itself is found out here too, without waiting for a call to fail."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from integrations import queries
from integrations.actions import ReadFromProvider
from integrations.care.actions import LookAtGrant
from integrations.demo import PROVIDER
from integrations.errors import NeedsReconnecting
from joule.assembly.upkeep import account_upkeep_of
from joule.kernel.errors import Refused
from tests.support.accounts import Office
from tests.support.clock import StoppedClock

READING = ("contacts.read", "campaigns.read")
INTERVAL = timedelta(hours=6, minutes=1)


async def status(here: Office) -> list[str]:
    async with here.home.house.database.read(here.home.org) as session:
        return [each.status for each in await queries.connections(session, here.home.house.vault, here.home.org)]


async def test_rule_22_an_account_ended_at_the_provider_is_found_within_the_interval(here: Office, clock: StoppedClock):
    made, other = await here.connect(*READING), await here.connect(*READING)
    upkeep = account_upkeep_of(here.home.house)
    assert (await upkeep.run()).looked == 0  # both have just worked
    here.demo.state.consents.given[0].alive = False

    clock.advance(INTERVAL)
    done = await upkeep.run()

    assert done.looked == 2
    assert sorted(await status(here)) == ["active", "needs_reconnecting"]
    with pytest.raises(NeedsReconnecting):
        await here.do(
            ReadFromProvider(
                principal=here.owner,
                connection=made.connection,
                provider=PROVIDER,
                operation="read_contacts",
                inputs="{}",
            )
        )
    assert (await here.do(LookAtGrant(principal=here.owner, grant=other.grant))).found == "alive"
    assert (await upkeep.run()).looked == 0  # what is over is not asked about for ever


async def test_what_was_found_stands_in_the_journal(here: Office, clock: StoppedClock):
    made = await here.connect(*READING)
    here.demo.state.consents.given[0].alive = False

    found = await here.do(LookAtGrant(principal=here.owner, grant=made.grant))

    assert found.found == "dead"
    async with here.home.house.database.read(here.home.org) as session:
        query = "SELECT kind FROM trace_event WHERE action = 'integrations.look_at_grant' ORDER BY at"
        kinds = list((await session.execute(text(query))).scalars())
        row = (await session.execute(text("SELECT status, due_at FROM oauth_grant"))).one()
    assert kinds == ["action.intent", "action.result"]
    assert tuple(row) == ("needs_reconnecting", None)


async def test_an_access_token_that_ended_alone_is_renewed(here: Office, clock: StoppedClock):
    made = await here.connect(*READING)
    here.demo.state.consents._access.clear()  # as after a provider's own clean-up

    found = await here.do(LookAtGrant(principal=here.owner, grant=made.grant))

    assert found.found == "renewed"
    assert await status(here) == ["active"]


async def test_a_permission_taken_back_at_the_provider_is_no_longer_counted_on(here: Office):
    made = await here.connect(*READING)
    consent = here.demo.state.consents.given[0]
    consent.scopes = ("contacts.read",)

    await here.do(LookAtGrant(principal=here.owner, grant=made.grant))

    async with here.home.house.database.read(here.home.org) as session:
        view = await queries.connection(session, here.home.house.vault, here.home.org, made.connection)
    assert view.granted == ("contacts.read",)
    assert view.scope_source == "introspection"


async def test_agents_do_not_look(here: Office):
    made = await here.connect(*READING)

    with pytest.raises(Refused):
        await here.do(LookAtGrant(principal=here.owner.as_agent(), grant=made.grant))
