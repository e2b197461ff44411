"""Tokens are renewed once, whoever asks, and no grant dies unseen."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from integrations.errors import ClientRefused, ConnectionRevoked, NeedsReconnecting, ProviderBusy
from integrations.refreshing import Refreshing
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import Database
from joule.kernel.errors import Conflict, Corrupt, Misconfigured
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.support.provider_server import HangsUp, Json
from tests.support.rotating import Connected, Ground, ground, keeper

DECISION = DecisionId(new_id())


@pytest.fixture
async def here(database: Database, vault: Vault, clock: StoppedClock) -> AsyncIterator[Ground]:
    async with ground(database, vault, clock) as found:
        yield found


def other_process(here: Ground) -> Refreshing:
    return keeper(database=here.database, vault=here.vault, clock=here.clock, endpoints=here.endpoints)


async def change(here: Ground, at: Connected, **values: object) -> None:
    async with here.database.write(at.org) as session:
        row = await session.get(OAuthGrantRow, (at.org, at.grant))
        for name, value in values.items():
            setattr(row, name, value)


async def test_a_fresh_token_is_used_as_it_is(here: Ground, org: OrgId):
    at = await here.connect(org)

    found = await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert found.tokens.access_token.reveal() == "canary-access-1"
    assert here.provider.refreshes == 0


async def test_a_stale_token_is_renewed_and_kept(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=56))

    found = await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert found.tokens.access_token.reveal() == "canary-access-2"
    again = await other_process(here).usable(org, at.connection, decision=DECISION)
    assert again.tokens.access_token == found.tokens.access_token
    row = await here.row(at)
    assert (row.generation, row.status, row.lease_owner, row.attempt_at) == (2, "active", None, None)
    assert row.decision_id == DECISION


async def test_rule_14_many_who_find_it_stale_renew_it_once(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=56))
    processes = [other_process(here) for _ in range(4)]

    found = await asyncio.gather(
        *(each.usable(org, at.connection, decision=DECISION) for each in processes for _ in range(6))
    )

    assert here.provider.refreshes == 1
    assert {each.generation for each in found} == {2}


async def test_a_token_the_provider_refuses_is_renewed_once_whatever_its_dates(here: Ground, org: OrgId):
    at = await here.connect(org)

    found = await asyncio.gather(
        *(here.refreshing.usable(org, at.connection, decision=DECISION, stale=1) for _ in range(5))
    )

    assert here.provider.refreshes == 1
    assert {each.tokens.access_token.reveal() for each in found} == {"canary-access-2"}


async def test_a_provider_that_is_busy_leaves_a_good_token_in_use(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=56))
    here.provider.will(Json(status=503))

    found = await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert found.tokens.access_token.reveal() == "canary-access-1"
    row = await here.row(at)
    assert (row.status, row.problem) == ("active", "integrations.provider_busy")
    assert row.cooldown_until is not None


async def test_a_busy_provider_is_not_asked_again_before_it_has_rested(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    here.provider.will(Json(status=503, headers={"retry-after": "120"}))
    with pytest.raises(ProviderBusy):
        await here.refreshing.usable(org, at.connection, decision=DECISION)

    with pytest.raises(ProviderBusy):
        await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert here.provider.refreshes == 0
    clock.advance(timedelta(seconds=121))
    await here.refreshing.usable(org, at.connection, decision=DECISION)
    assert here.provider.refreshes == 1


async def test_rule_16_a_dead_grant_needs_reconnecting_and_is_not_deleted(
    here: Ground, org: OrgId, clock: StoppedClock
):
    at = await here.connect(org)
    here.provider.refresh = "another"
    clock.advance(timedelta(minutes=61))

    with pytest.raises(NeedsReconnecting):
        await here.refreshing.usable(org, at.connection, decision=DECISION)

    row = await here.row(at)
    assert (row.status, row.problem) == ("needs_reconnecting", "integrations.grant_dead")
    with pytest.raises(NeedsReconnecting):
        await here.refreshing.usable(org, at.connection, decision=DECISION)
    assert here.provider.refreshes == 1


async def test_a_refused_client_is_no_dead_grant(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    here.provider.secrets = {"another"}
    clock.advance(timedelta(minutes=61))

    with pytest.raises(ClientRefused):
        await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert (await here.row(at)).status == "active"
    here.provider.secrets = {"canary-client-secret"}
    clock.advance(timedelta(minutes=1))
    assert (await here.refreshing.usable(org, at.connection, decision=DECISION)).generation == 2


async def test_rule_13_an_answer_lost_in_a_crash_is_tried_once_more_and_then_told(
    here: Ground, org: OrgId, clock: StoppedClock
):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    # the provider answered a process that died before it could keep the answer
    await change(here, at, lease_owner=new_id(), lease_until=clock.now() + timedelta(seconds=6), attempt_at=clock.now())
    here.provider.used.add(str(here.provider.refresh))
    here.provider.tokens()
    clock.advance(timedelta(seconds=7))

    with pytest.raises(NeedsReconnecting):
        await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert here.provider.refreshes == 2  # once more, and once to be sure
    row = await here.row(at)
    assert (row.status, row.problem) == ("needs_reconnecting", "refresh_unknown")


async def test_a_crash_before_the_provider_was_asked_costs_nothing(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    await change(here, at, lease_owner=new_id(), lease_until=clock.now() + timedelta(seconds=6), attempt_at=clock.now())
    clock.advance(timedelta(seconds=7))

    found = await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert found.generation == 2
    assert (await here.row(at)).status == "active"


async def test_a_line_that_breaks_leaves_a_mark_that_the_answer_is_unknown(
    here: Ground, org: OrgId, clock: StoppedClock
):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    here.provider.will(HangsUp())

    with pytest.raises(ProviderBusy):
        await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert (await here.row(at)).attempt_at is not None
    clock.advance(timedelta(minutes=2))
    assert (await here.refreshing.usable(org, at.connection, decision=DECISION)).generation == 2


async def test_rule_16_invalid_grant_is_not_believed_when_somebody_else_has_just_renewed(
    here: Ground, org: OrgId, clock: StoppedClock
):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    await here.refreshing.usable(org, at.connection, decision=DECISION)

    await other_process(here).refresh(org, at.grant, seen=1, decision=DECISION)  # it had read the former generation

    assert here.provider.refreshes == 1
    assert (await here.row(at)).status == "active"


async def test_a_caller_that_is_stopped_does_not_stop_the_answer_from_being_kept(
    here: Ground, org: OrgId, clock: StoppedClock
):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    caller = asyncio.create_task(here.refreshing.usable(org, at.connection, decision=DECISION))
    await here.provider.reaches.wait()
    caller.cancel()

    while (await here.row(at)).generation == 1:
        await asyncio.sleep(0.01)

    assert (await here.refreshing.usable(org, at.connection, decision=DECISION)).generation == 2
    assert here.provider.refreshes == 1


async def test_a_call_under_a_consent_that_has_changed_gets_no_token(here: Ground, org: OrgId):
    at = await here.connect(org)

    with pytest.raises(Conflict):
        await here.refreshing.usable(org, at.connection, decision=DECISION, epoch=0)

    assert await here.refreshing.usable(org, at.connection, decision=DECISION, epoch=1)


async def test_a_disconnected_account_gives_no_token(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    async with here.database.write(org) as session:
        row = await session.get(ConnectionRow, (org, at.connection))
        assert row is not None
        row.status, row.revoked_at = "revoked", clock.now()

    with pytest.raises(ConnectionRevoked):
        await here.refreshing.usable(org, at.connection, decision=DECISION)


async def test_an_older_token_put_back_does_not_open(here: Ground, org: OrgId, clock: StoppedClock):
    at = await here.connect(org)
    old = (await here.row(at)).tokens
    clock.advance(timedelta(minutes=61))
    await here.refreshing.usable(org, at.connection, decision=DECISION)
    await change(here, at, tokens=old)

    with pytest.raises(Corrupt):
        await here.refreshing.usable(org, at.connection, decision=DECISION)


def test_rule_15_a_lease_shorter_than_three_deadlines_does_not_start(
    database: Database, vault: Vault, clock: StoppedClock
):
    for lease, fits in ((5.9, False), (6.0, True)):
        arguments = {"deadline": timedelta(seconds=2), "lease": timedelta(seconds=lease)}
        if fits:
            keeper(database=database, vault=vault, clock=clock, endpoints=None, **arguments)  # type: ignore[arg-type]
        else:
            with pytest.raises(Misconfigured):
                keeper(database=database, vault=vault, clock=clock, endpoints=None, **arguments)  # type: ignore[arg-type]


async def test_nobody_sees_a_token_in_what_is_handed_around(here: Ground, org: OrgId):
    at = await here.connect(org)

    found = await here.refreshing.usable(org, at.connection, decision=DECISION)

    assert "canary" not in f"{found!r} {found} {found.tokens!r}"
