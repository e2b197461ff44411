"""New data keys for connected accounts: everything goes on working, nothing stays under the old keys, nothing is lost half-way."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import LargeBinary, text

from integrations import queries, receipts
from integrations.actions import ReadFromProvider, RevokeConnection, SetProviderClient, TellProvider
from integrations.care.actions import RotateKeys
from integrations.care.rekeying import PLACES
from integrations.care.results import KeysRotated
from integrations.demo import PROVIDER
from integrations.receipts import Receipt
from integrations.results import Secret
from joule.kernel.errors import Invalid, Refused
from joule.kernel.principal import Role
from tests.support.accounts import Office
from tests.support.clock import StoppedClock
from tests.support.rooms import all_tables

READING = ("contacts.read", "campaigns.read")
# Ends by itself within days, and is opened by the former key until then.
BRIEF = {
    "pending_authorization.verifier",
    "pending_authorization.redirect",
    "pending_authorization.tenant",
    "pending_authorization.return_to",
    "revocation.tokens",
    "revocation.tenant",
}
HASHES = {"state_key", "url_key", "name_key", "issuer_key", "account_key", "pin", "public", "signature"}
ROOM = ("provider_", "pending_", "oauth_", "connection", "revocation", "receipt_", "issuer_", "mcp_")


async def rotated(here: Office, clock: StoppedClock, *, batch: int = 100) -> list[KeysRotated]:
    """Rounds until nothing is left, as the command line does."""
    clock.advance(timedelta(seconds=1))
    before, rounds = clock.now(), []
    while not rounds or rounds[-1].left:
        assert len(rounds) < 20, rounds
        rounds.append(await here.do(RotateKeys(principal=here.owner, before=before, batch=batch)))
    return rounds


async def keys_in_use(here: Office) -> dict[str, set[UUID]]:
    """Which data keys name the sealed columns of connections and apps."""
    columns = {
        "tokens": "SELECT tokens FROM oauth_grant",
        "account": "SELECT account FROM oauth_grant",
        "tenant": "SELECT tenant FROM oauth_grant",
        "client": "SELECT client_id FROM provider_client",
        "secret": "SELECT client_secret FROM provider_client",
        "former": "SELECT next_secret FROM provider_client",
    }
    async with here.home.house.database.read(here.home.org) as session:
        return {
            name: {UUID(bytes=bytes(each)[5:21]) for each in (await session.execute(text(query))).scalars() if each}
            for name, query in columns.items()
        }


async def read(here: Office, connection: UUID) -> Any:
    action = ReadFromProvider(
        principal=here.owner, connection=connection, provider=PROVIDER, operation="read_contacts", inputs="{}"
    )
    return await here.do(action)


async def register(here: Office, secret: str) -> None:
    await here.do(
        SetProviderClient(
            principal=here.owner,
            provider="hubspot",
            client_id="app",
            client_secret=Secret(secret),
            keep_former=True,
        )
    )


async def test_after_a_rotation_nothing_is_under_the_old_keys_and_everything_works(here: Office, clock: StoppedClock):
    one, other = await here.connect(*READING), await here.connect(*READING)
    await register(here, "first")
    await register(here, "second")
    before = await keys_in_use(here)

    rounds = await rotated(here, clock)

    after = await keys_in_use(here)
    assert sum(each.grants for each in rounds) == 2
    assert all(before[name] and after[name] and not before[name] & after[name] for name in before)
    assert (await read(here, one.connection)).status == (await read(here, other.connection)).status == 200
    async with here.home.house.database.read(here.home.org) as session:
        views = await queries.connections(session, here.home.house.vault, here.home.org)
        client = await queries.client(session, here.home.house.vault, here.home.org, "hubspot")
    assert {view.status for view in views} == {"active"}
    assert client is not None
    assert client.client_id == "app"


async def test_the_receipt_of_an_account_that_is_gone_still_opens_and_is_signed_by_the_same_key(
    here: Office, clock: StoppedClock
):
    made = await here.connect(*READING)
    ended = await here.do(RevokeConnection(principal=here.owner, connection=made.connection))
    assert ended.revocation is not None
    await here.do(TellProvider(principal=here.system, revocation=ended.revocation))

    async def receipt() -> Receipt:
        async with here.home.house.database.read(here.home.org) as session:
            return await receipts.find(session, here.home.house.vault, here.home.org, ended.revocation or made.grant)

    before = await receipt()
    await rotated(here, clock)
    after = await receipt()

    assert after == before
    assert after.is_genuine()


async def test_a_rotation_goes_in_small_steps_and_on_where_it_stopped(here: Office, clock: StoppedClock):
    made = [await here.connect("contacts.read") for _ in range(3)]
    clock.advance(timedelta(seconds=1))
    before = clock.now()

    first = await here.do(RotateKeys(principal=here.owner, before=before, batch=1))
    halfway = [(await read(here, each.connection)).status for each in made]
    clock.advance(timedelta(hours=1))  # it was interrupted here
    again = await rotated_from(here, before)

    assert (first.grants, first.left > 0) == (1, True)
    assert halfway == [200, 200, 200]
    assert again[-1].left == 0
    assert first.grants + sum(each.grants for each in again) == 3  # none was done twice


async def rotated_from(here: Office, before: Any) -> list[KeysRotated]:
    rounds: list[KeysRotated] = []
    while not rounds or rounds[-1].left:
        assert len(rounds) < 20, rounds
        rounds.append(await here.do(RotateKeys(principal=here.owner, before=before, batch=2)))
    return rounds


async def test_a_refresh_under_way_is_not_overtaken_by_a_rotation(here: Office, clock: StoppedClock):
    made = await here.connect(*READING)
    async with here.home.house.database.read(here.home.org) as session:
        seen = await session.scalar(text("SELECT generation FROM oauth_grant"))

    await rotated(here, clock)

    async with here.home.house.database.read(here.home.org) as session:
        assert await session.scalar(text("SELECT generation FROM oauth_grant")) == seen  # what a refresher compares
    clock.advance(timedelta(hours=2))
    assert (await read(here, made.connection)).status == 200


async def test_only_admins_rotate(here: Office, clock: StoppedClock):
    with pytest.raises(Refused):
        await here.do(RotateKeys(principal=here.somebody(Role.MEMBER), before=clock.now()))
    with pytest.raises(Refused):
        await here.do(RotateKeys(principal=here.owner.as_agent(), before=clock.now()))

    assert (await here.do(RotateKeys(principal=here.somebody(Role.ADMIN), before=clock.now()))).left == 0


async def test_a_time_to_come_is_refused_since_it_would_never_end(here: Office, clock: StoppedClock):
    with pytest.raises(Invalid):
        await here.do(RotateKeys(principal=here.owner, before=clock.now() + timedelta(seconds=1)))
    with pytest.raises(Invalid):
        await here.do(RotateKeys(principal=here.owner, before=clock.now(), batch=0))


def test_every_sealed_column_of_the_room_is_either_moved_or_ends_by_itself():
    moved = {f"{place.table}.{column}" for place in PLACES for column in place.columns} | {"oauth_grant.tokens"}

    sealed = {
        f"{table.name}.{column.name}"
        for table in all_tables().tables.values()
        if table.name.startswith(ROOM)
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.name not in HASHES
    }

    assert sealed == moved | BRIEF
