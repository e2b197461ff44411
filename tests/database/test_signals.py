"""A signal comes after its commit, never without it, and its loss is never silent."""

# ruff: noqa: PT012 - what ends a transaction happens in the middle of it

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from joule.database.engine import Database
from joule.database.errors import DatabaseAway
from joule.database.server import ServerAddress
from joule.database.signals import notify
from joule.kernel.ids import OrgId
from tests.database.conftest import as_role


async def heard(signals: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(signals), 10)


async def test_a_listener_hears_what_was_committed_on_its_channel(database: Database, org: OrgId) -> None:
    signals = database.listen("task")
    assert await heard(signals) == "", "first: look at the rows, from now on you will hear"

    with pytest.raises(RuntimeError):
        async with database.write(org) as session:
            await notify(session, "task", "rolled-back")
            raise RuntimeError
    async with database.write(org) as session:
        await notify(session, "other", "not-for-us")
        await notify(session, "task", "one")

    assert await heard(signals) == "one"


async def test_two_listeners_in_two_pools_both_hear(database: Database, app_url: str, org: OrgId) -> None:
    other = Database(app_url, pool_size=2)
    listeners = [database.listen("task"), database.listen("task"), other.listen("task")]
    for listener in listeners:
        assert await heard(listener) == ""

    async with database.write(org) as session:
        await notify(session, "task", "one")

    assert [await heard(listener) for listener in listeners] == ["one"] * 3
    await other.close()


async def test_after_a_lost_connection_the_listener_is_told_to_look(
    database: Database, address: ServerAddress, org: OrgId
) -> None:
    signals = database.listen("task")
    await heard(signals)

    as_role(
        psycopg.conninfo.make_conninfo(address.owner_url, user="postgres"),
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'joule signals'",
    )

    assert await heard(signals) == ""
    async with database.write(org) as session:
        await notify(session, "task", "two")
    assert await heard(signals) == "two"


async def test_a_slow_listener_is_told_that_it_missed_some(database: Database, org: OrgId) -> None:
    signals = database.listen("task")
    await heard(signals)

    async with database.write(org) as session:
        for number in range(1100):
            await notify(session, "task", str(number))
    last = "1099"

    received = [await heard(signals)]
    while received[-1] != last:
        received.append(await heard(signals))
    assert "" in received or len(received) == 1100


async def test_closing_ends_the_listeners(app_url: str) -> None:
    database = Database(app_url)
    signals = database.listen("task")
    await heard(signals)

    await database.close()

    with pytest.raises(DatabaseAway):
        await heard(signals)


async def test_a_signal_carries_an_id_and_nothing_longer(database: Database, org: OrgId) -> None:
    async with database.write(org) as session:
        for channel, payload in (("task", ""), ("task", "x" * 201), ("a b", "x"), ("", "x")):
            with pytest.raises(ValueError, match=r"a signal|channel"):
                await notify(session, channel, payload)
        await notify(session, "task", "x" * 200)
