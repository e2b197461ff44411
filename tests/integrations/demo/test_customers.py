"""The pretend customer list, used through the broker with the catalogue's own operations."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from integrations.broker.broker import Broker
from integrations.broker.calls import Account, Reply
from integrations.catalogue.load import catalogue
from integrations.demo import PROVIDER
from integrations.errors import ProviderRefused, ScopeMissing
from integrations.grants import Usable
from integrations.oauth.tokens import TokenSet
from joule.kernel.ids import DecisionId, OrgId, new_id
from tests.house.source import ROOT
from tests.integrations.demo.conftest import EVERYTHING, Demo


class Holder:
    """Holds one consent's tokens and renews them when they were refused."""

    def __init__(self, demo: Demo, tokens: TokenSet, granted: tuple[str, ...]) -> None:
        self._demo, self.tokens, self._granted, self._generation = demo, tokens, granted, 1

    async def usable(
        self,
        org: OrgId,
        connection: UUID,
        *,
        decision: DecisionId,
        epoch: int | None = None,
        stale: int | None = None,
        held: Usable | None = None,
    ) -> Usable:
        if stale == self._generation:
            self.tokens, self._generation = await self._demo.endpoint().refresh(self.tokens), self._generation + 1
        return Usable(
            connection=connection,
            grant=connection,
            provider=PROVIDER,
            tokens=self.tokens,
            generation=self._generation,
            epoch=1,
            granted=self._granted,
            read_only=False,
            tenant=self._demo.address,
        )


class Joule:
    """The broker with one connection to the demonstration."""

    def __init__(self, demo: Demo, tokens: TokenSet, *, granted: tuple[str, ...] = EVERYTHING) -> None:
        self.keeper = Holder(demo, tokens, granted)
        self._broker = Broker(network=demo.network, keeper=self.keeper, clock=demo.clock)
        self._account = Account(org=OrgId(new_id()), connection=new_id())

    async def call(self, name: str, given: Mapping[str, Any], *, decision: DecisionId | None = None) -> Reply:
        provider = catalogue().provider(PROVIDER)
        return await self._broker.call(
            self._account, provider, provider.operations[name], given, decision=decision or DecisionId(new_id())
        )


@pytest.fixture
async def joule(demo: Demo) -> Joule:
    return Joule(demo, await demo.connected())


@pytest.mark.parametrize("name", sorted(catalogue().provider(PROVIDER).operations))
async def test_every_operation_of_the_catalogue_works_with_its_own_example(joule: Joule, name: str) -> None:
    reply = await joule.call(name, catalogue().provider(PROVIDER).operations[name].example)

    assert reply.status == 200
    assert json.loads(reply.data)


async def test_contacts_come_in_pages_without_what_nobody_asked_for(joule: Joule) -> None:
    first = await joule.call("read_contacts", {"segment": "customers", "limit": 8})
    rest = await joule.call("read_contacts", {"segment": "customers", "limit": 8, "cursor": first.next_page})

    shown = json.loads(first.data)["contacts"] + json.loads(rest.data)["contacts"]
    assert len({each["id"] for each in shown}) == 12 == json.loads(first.data)["total"]
    assert rest.next_page is None
    assert not any("phone" in each for each in shown)


async def test_one_decision_sends_one_newsletter(demo: Demo, joule: Joule) -> None:
    decision = DecisionId(new_id())
    given = {"segment": "newsletter", "subject": "Spring", "text": "It is here."}

    first = await joule.call("send_newsletter", given, decision=decision)
    again = await joule.call("send_newsletter", given, decision=decision)
    await joule.call("send_newsletter", given)

    assert first.data == again.data
    assert len(demo.app.state.customers.newsletters) == 2


async def test_money_is_spent_once_and_never_more_than_there_is(demo: Demo, joule: Joule) -> None:
    decision = DecisionId(new_id())
    for _again in range(2):
        reply = await joule.call("boost_campaign", {"campaign": "k-3", "amount_cents": 8_000}, decision=decision)

    assert json.loads(reply.data)["budget_left_cents"] == 1_000
    with pytest.raises(ProviderRefused):
        await joule.call("boost_campaign", {"campaign": "k-3", "amount_cents": 8_000})
    assert len(demo.app.state.customers.boosts) == 1


async def test_a_note_on_nobody_is_refused(joule: Joule) -> None:
    with pytest.raises(ProviderRefused) as refused:
        await joule.call("create_note", {"contact": "c-999", "text": "Hello"})

    assert refused.value.status == 404


async def test_a_scope_that_was_unticked_is_named_when_it_is_missed(demo: Demo) -> None:
    tokens = await demo.connected(ticked=["contacts.read"])
    believing = Joule(demo, tokens)  # as if nobody had noticed that less was granted

    with pytest.raises(ScopeMissing) as missing:
        await believing.call("read_campaigns", {})

    assert missing.value.scopes == ("campaigns.read",)


async def test_a_token_that_ran_out_is_renewed_on_the_way(demo: Demo, joule: Joule) -> None:
    before = joule.keeper.tokens
    demo.clock.advance(timedelta(minutes=16))

    await joule.call("read_campaigns", {})

    assert joule.keeper.tokens.access_token != before.access_token


async def test_after_revoking_the_provider_takes_no_call(demo: Demo) -> None:
    tokens = await demo.connected()
    await demo.endpoint().revoke(tokens)

    async with demo.browser() as browser:
        answer = await browser.get("/api/contacts", headers={"authorization": f"Bearer {tokens.access_token.reveal()}"})

    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_token"}


@pytest.mark.parametrize("body", ["", "[]", "nonsense", "x" * 70_000, '{"text": 5}'])
async def test_a_body_of_a_wrong_shape_is_refused(demo: Demo, joule: Joule, body: str) -> None:
    bearer = {"authorization": f"Bearer {joule.keeper.tokens.access_token.reveal()}"}

    async with demo.browser() as browser:
        answer = await browser.post("/api/contacts/c-1/notes", content=body, headers=bearer)

    assert answer.status_code == 400
    assert demo.app.state.customers.notes == []


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The demonstration as `joule up` starts it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = subprocess.Popen([sys.executable, "-m", "integrations.demo", "--port", str(port)], cwd=ROOT)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.05)
        yield running, port
    finally:
        running.kill()
        running.wait()


def test_it_is_small_listens_on_loopback_alone_and_ends_when_told(process: tuple[subprocess.Popen[bytes], int]) -> None:
    running, _port = process
    seen = psutil.Process(running.pid)

    assert seen.memory_info().rss < 40 * 2**20
    listening = [each.laddr.ip for each in seen.net_connections() if each.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]

    os.kill(running.pid, signal.SIGTERM)
    running.wait(timeout=10)
