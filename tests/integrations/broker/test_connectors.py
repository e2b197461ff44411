"""Connectors with code: the suite catches what is wrong with one, and the broker holds each to its own provider."""

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from integrations.broker.connectors import GROUP, Connector, Declared, Send, installed
from integrations.catalogue.errors import HostRefused
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Operation, Provider, frozen
from integrations.catalogue.render import OutgoingRequest
from integrations.errors import ProviderBusy
from integrations.testing import CHECKS, ConnectorSuite, conformance
from joule.kernel.errors import OutcomeUnknown
from tests.integrations.broker.conftest import Bench, operation, provider_of, sending
from tests.support.provider_server import Json

DEMO = catalogue().provider("demo_crm")


class TestTheDemonstration(ConnectorSuite):
    """The suite as others use it."""

    def connector(self) -> Connector:
        return Declared(DEMO)


@pytest.mark.parametrize("name", [name for name, each in catalogue().providers.items() if each.operations])
async def test_every_provider_of_the_catalogue_conforms(name: str) -> None:
    assert await conformance(Declared(catalogue().provider(name))) == {}


class AlsoReadsPages(Declared):
    """A good connector with code: follows the pages of the demonstration's contacts, three at most."""

    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        first = await super().perform(operation, arguments, send)
        found = first if isinstance(first, dict) else {}
        for _page in range(2):
            if operation.id != "read_contacts" or not isinstance(found.get("next"), str):
                break
            found = await super().perform(operation, {**arguments, "cursor": found["next"]}, send)
        return found


async def test_a_connector_with_code_conforms() -> None:
    assert await conformance(AlsoReadsPages(DEMO)) == {}


class Elsewhere(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        return await send(OutgoingRequest(method="GET", scheme="http", host="evil.example", path="/"))


class Pastes(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        path = f"/api/{'/'.join(str(each) for each in arguments.values())}"
        return await send(OutgoingRequest(method="POST", scheme="http", host=send.tenant_host or "", path=path))


class SaysWhoItIs(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        mine = {"AUTHORIZATION": "Bearer mine"}
        host = send.tenant_host or ""
        return await send(OutgoingRequest(method="GET", scheme="http", host=host, path="/x", headers=mine))


class SpeaksItself(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        with socket.socket() as line:
            line.connect(("127.0.0.1", 9))


class Swallows(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        try:
            return await super().perform(operation, arguments, send)
        except Exception:  # noqa: BLE001 - what a bad connector does
            return {}


class Insists(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        try:
            return await super().perform(operation, arguments, send)
        except ProviderBusy:
            return await super().perform(operation, arguments, send)


class Trusts(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        answer = await super().perform(operation, arguments, send)
        return {"contacts": answer["contacts"][0]["items"]}


class Endless(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        while True:
            await super().perform(operation, arguments, send)


class Counts(Declared):
    calls = 0

    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        self.calls += 1
        query = (("n", str(self.calls)),)
        host = send.tenant_host or ""
        return await send(OutgoingRequest(method="GET", scheme="http", host=host, path="/x", query=query))


class ReadsByDeleting(Declared):
    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        return await send(OutgoingRequest(method="DELETE", scheme="http", host=send.tenant_host or "", path="/x"))


class Empty(Declared):
    def operations(self) -> Mapping[str, Operation]:
        return {}


class TakesAnything(Declared):
    def operations(self) -> Mapping[str, Operation]:
        one = DEMO.operations["read_campaigns"]
        return {"read_campaigns": replace(one, any_of=(("no.such.scope",),))}


@pytest.mark.parametrize(
    ("bad", "check"),
    [
        (Elsewhere, "it_speaks_with_its_own_provider_alone"),
        (Pastes, "it_speaks_with_its_own_provider_alone"),
        (SaysWhoItIs, "it_leaves_the_token_to_the_broker"),
        (SpeaksItself, "it_does_nothing_but_send"),
        (Swallows, "it_lets_errors_through"),
        (Insists, "it_lets_errors_through"),
        (Trusts, "it_survives_odd_answers"),
        (Endless, "it_survives_odd_answers"),
        (Counts, "it_asks_the_same_for_the_same"),
        (ReadsByDeleting, "reading_changes_nothing"),
        (Empty, "its_operations_are_sound"),
        (TakesAnything, "its_operations_are_sound"),
    ],
)
async def test_what_is_wrong_with_a_connector_is_told(bad: type[Declared], check: str) -> None:
    assert check in await conformance(bad(DEMO))


def test_every_check_has_a_connector_that_fails_it() -> None:
    marks = test_what_is_wrong_with_a_connector_is_told.pytestmark  # type: ignore[attr-defined]
    caught = {check for _bad, check in marks[0].args[1]}

    assert caught == {check.__name__ for check in CHECKS}


class TwoSteps:
    """Sends two requests for one operation."""

    def __init__(self, provider: Provider, *, second: OutgoingRequest | None = None) -> None:
        self.provider, self._second = provider, second

    def operations(self) -> Mapping[str, Operation]:
        return self.provider.operations

    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        plain = OutgoingRequest(method=operation.method, scheme="http", host=send.tenant_host or "", path="/one")
        await send(plain)
        return await send(self._second or replace(plain, path="/two"))


async def ask(bench: Bench, asked: Operation, *, second: OutgoingRequest | None = None) -> Any:
    provider = provider_of(bench.server, operations=frozen({asked.id: asked}))
    return await bench.broker.call(
        bench.account,
        provider,
        asked,
        {"id": "7"},
        decision=bench.decision,
        connector=TwoSteps(provider, second=second),
    )


async def test_each_request_of_a_connector_carries_the_token_and_a_key_of_its_own(bench: Bench) -> None:
    bench.answers(Json(value={"ok": True, "more": 1}))

    reply = await ask(bench, sending(idempotency="header:Idempotency-Key"))

    sent = bench.server.requests
    assert [request.target for request in sent] == ["/one", "/two"]
    assert len({request.headers["idempotency-key"] for request in sent}) == 2
    assert all("authorization" in request.headers for request in sent)
    assert json.loads(reply.data) == {"ok": True}


async def test_a_second_step_that_fails_leaves_the_outcome_unknown(bench: Bench) -> None:
    bench.answers(Json(), Json(status=400))

    with pytest.raises(OutcomeUnknown):
        await ask(bench, sending())


@pytest.mark.parametrize(
    "astray",
    [
        OutgoingRequest(method="GET", scheme="http", host="evil.example", path="/"),
        OutgoingRequest(method="GET", scheme="http", host="127.0.0.1:1", path="/"),
        OutgoingRequest(method="GET", scheme="http", host="169.254.169.254", path="/latest"),
        OutgoingRequest(method="GET", scheme="http", host="", path="@evil.example/"),
    ],
)
async def test_a_connector_that_strays_reaches_nobody(bench: Bench, astray: OutgoingRequest) -> None:
    with pytest.raises(HostRefused):
        await ask(bench, operation(), second=astray)

    assert [request.target for request in bench.server.requests] == ["/one"]


async def test_a_connector_cannot_say_who_it_is(bench: Bench) -> None:
    host = f"127.0.0.1:{bench.server.port}"
    for name in ("Authorization", "Host", "Cookie", "transfer-encoding"):
        asked = OutgoingRequest(method="GET", scheme="http", host=host, path="/", headers={name: "x"})
        with pytest.raises(HostRefused):
            await ask(bench, operation(), second=asked)


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


HERE = "tests.integrations.broker.test_connectors"


class Demonstration(AlsoReadsPages):
    """As an installed package would offer it."""

    def __init__(self) -> None:
        super().__init__(DEMO)


class Broken:
    def __init__(self) -> None:
        raise RuntimeError("secret path /home/somebody")


def test_an_installed_connector_arrives_switched_off_and_unloaded() -> None:
    (told,) = installed(found=[point("demo_crm", "no.such.module:Thing")])

    assert (told.enabled, told.connector, told.problem) == (False, None, "")


def test_a_connector_that_is_switched_on_is_loaded() -> None:
    (told,) = installed(enabled={"demo_crm"}, found=[point("demo_crm", f"{HERE}:Demonstration")])

    assert told.enabled
    assert told.connector is not None
    assert asyncio.run(conformance(told.connector)) == {}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("demo_crm", "no.such.module:Thing", "cannot be loaded: ModuleNotFoundError"),
        ("demo_crm", f"{HERE}:Nothing", "cannot be loaded: AttributeError"),
        ("demo_crm", f"{HERE}:Broken", "cannot be loaded: RuntimeError"),
        ("demo_crm", "builtins:dict", "is no connector"),
        ("other", f"{HERE}:Demonstration", "another name"),
    ],
)
def test_a_connector_that_cannot_be_used_says_why(name: str, value: str, said: str) -> None:
    (told,) = installed(enabled={name}, found=[point(name, value)])

    assert said in told.problem
    assert "somebody" not in told.problem
    assert (told.enabled, told.connector) == (False, None)


def test_a_name_that_two_packages_claim_belongs_to_neither() -> None:
    both = [point("demo_crm", f"{HERE}:Demonstration"), point("demo_crm", "builtins:dict")]

    assert [each.connector for each in installed(enabled={"demo_crm"}, found=both)] == [None, None]
