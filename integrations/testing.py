"""The conformance suite for connectors: what every connector must do, as checks that anybody can run on their own.

    from integrations.testing import ConnectorSuite

    class TestMine(ConnectorSuite):
        def connector(self):
            return MyConnector()

Each check is a claim; it returns what is wrong, in words, or nothing. Nothing is sent anywhere: a stand-in takes the
requests and answers, and while a connector runs no socket of this process connects.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from integrations.broker._call import MOST_REQUESTS, OURS
from integrations.broker.connectors import Connector
from integrations.catalogue._checking import check as checked_provider
from integrations.catalogue.arguments import checked
from integrations.catalogue.model import Operation, frozen
from integrations.catalogue.projecting import project
from integrations.catalogue.render import OutgoingRequest, host_of
from integrations.errors import ProviderBusy, ProviderRefused, ScopeMissing
from joule.kernel.errors import JouleError

HOSTILE = "../../x?a=b#c\\@evil.example"
ODD_ANSWERS: tuple[Any, ...] = (None, [], {}, "text", 5, {"data": None}, {"items": "none"}, [{"id": []}])


@dataclass(kw_only=True)
class Recorder:
    """Stands for the broker: keeps the requests, gives `answer` or raises `problem`."""

    tenant_host: str | None = None
    answer: Any = None
    problem: BaseException | None = None
    requests: list[OutgoingRequest] = field(default_factory=list)

    async def __call__(self, request: OutgoingRequest) -> Any:
        self.requests.append(request)
        if len(self.requests) > MOST_REQUESTS:
            raise ProviderRefused("the provider", status=400, reason="too many requests in one call")
        if self.problem is not None:
            raise self.problem
        return self.answer


Check = Callable[[Connector], Awaitable[list[str]]]


async def its_operations_are_sound(connector: Connector) -> list[str]:
    """Its provider and operations would pass as a file of the catalogue, and are the same each time."""
    operations = connector.operations()
    if not operations or dict(operations) != dict(connector.operations()):
        return ["it has no operations, or others each time"]
    try:
        checked_provider(replace(connector.provider, operations=frozen(dict(operations))))
    except JouleError as wrong:
        return [str(wrong)]
    return [f"{name} is called {each.id}" for name, each in operations.items() if name != each.id]


async def it_speaks_with_its_own_provider_alone(connector: Connector) -> list[str]:
    """Every request goes to a host of the provider, in its scheme, also when arguments try to lead elsewhere."""
    found = []
    for operation in connector.operations().values():
        for arguments in (operation.example, *_hostile(operation)):
            for request in await _requests(connector, operation, arguments):
                found += [f"{operation.id}: {problem}" for problem in _astray(connector, request)]
    return found


async def it_leaves_the_token_to_the_broker(connector: Connector) -> list[str]:
    """No request carries a header that says who it is from or where it goes."""
    ours = {*OURS, connector.provider.token_header.lower()}
    return [
        f"{operation.id} sets {name}"
        for operation in connector.operations().values()
        for request in await _requests(connector, operation, operation.example)
        for name in request.headers
        if name.lower() in ours
    ]


async def it_does_nothing_but_send(connector: Connector) -> list[str]:
    """It opens no connection of its own."""
    found = []
    for operation in connector.operations().values():
        try:
            await _perform(connector, operation, Recorder(tenant_host=_tenant(connector), answer={}))
        except _OpenedASocket:
            found.append(f"{operation.id} opens a connection of its own")
        except Exception:  # noqa: BLE001, S112 - other checks tell of these
            continue
    return found


async def it_lets_errors_through(connector: Connector) -> list[str]:
    """What the broker raises arrives as it is, and nothing is tried a second time on its own."""
    found = []
    problems: Sequence[BaseException] = (
        ScopeMissing(connector.provider.id, ("scope",)),
        ProviderBusy(connector.provider.title, reason="busy"),
        asyncio.CancelledError(),
    )
    for operation in connector.operations().values():
        for problem in problems:
            recorder = Recorder(tenant_host=_tenant(connector), problem=problem)
            try:
                await _perform(connector, operation, recorder)
                found.append(f"{operation.id} swallows {type(problem).__name__}")
            except BaseException as raised:  # noqa: BLE001 - judged, whatever it is
                if raised is not problem:
                    found.append(f"{operation.id} turns {type(problem).__name__} into {type(raised).__name__}")
            if len(recorder.requests) != 1:
                found.append(f"{operation.id} sends {len(recorder.requests)} requests where the first one failed")
    return found


async def it_survives_odd_answers(connector: Connector) -> list[str]:
    """Whatever JSON comes back, it gives JSON or raises one of Joule's errors, within its number of requests."""
    found = []
    for operation in connector.operations().values():
        for answer in ODD_ANSWERS:
            recorder = Recorder(tenant_host=_tenant(connector), answer=answer)
            try:
                json.dumps(project(operation, await _perform(connector, operation, recorder)).kept, allow_nan=False)
            except JouleError:
                pass
            except Exception as wrong:  # noqa: BLE001 - any other error is what this looks for
                found.append(f"{operation.id} breaks with {type(wrong).__name__} when the answer is {answer!r}")
            if len(recorder.requests) > MOST_REQUESTS:
                found.append(f"{operation.id} sends more than {MOST_REQUESTS} requests")
    return found


async def it_asks_the_same_for_the_same(connector: Connector) -> list[str]:
    """The same arguments make the same requests, now and beside other calls: nothing is kept from one to the next."""
    found = []
    for operation in connector.operations().values():
        first = await _requests(connector, operation, operation.example)
        second, third = await asyncio.gather(*(_requests(connector, operation, operation.example) for _ in range(2)))
        if not first == second == third:
            found.append(f"{operation.id} asks differently each time")
    return found


async def reading_changes_nothing(connector: Connector) -> list[str]:
    """An operation that says it reads deletes and replaces nothing."""
    return [
        f"{operation.id} says it reads and sends {request.method}"
        for operation in connector.operations().values()
        if operation.effect == "read"
        for request in await _requests(connector, operation, operation.example)
        if request.method not in {"GET", "POST"} or (request.method == "POST" and operation.method == "GET")
    ]


CHECKS: tuple[Check, ...] = (
    its_operations_are_sound,
    it_speaks_with_its_own_provider_alone,
    it_leaves_the_token_to_the_broker,
    it_does_nothing_but_send,
    it_lets_errors_through,
    it_survives_odd_answers,
    it_asks_the_same_for_the_same,
    reading_changes_nothing,
)


async def conformance(connector: Connector) -> Mapping[str, list[str]]:
    """What is wrong with a connector, by check; empty when nothing is."""
    return {check.__name__: found for check in CHECKS if (found := await check(connector))}


class ConnectorSuite:
    """The checks as tests, for any runner that collects `test_…` methods. Override `connector`."""

    def connector(self) -> Connector:
        raise NotImplementedError("say which connector is tested")

    def test_it_conforms(self) -> None:
        wrong = asyncio.run(conformance(self.connector()))
        assert wrong == {}, wrong  # noqa: S101 - a test, run by others


class _OpenedASocket(Exception):
    """A connector tried to speak with somebody by itself."""


@contextmanager
def _no_socket() -> Iterator[None]:
    def refuse(*_: object) -> NoReturn:
        raise _OpenedASocket

    kept = socket.socket.connect, socket.socket.connect_ex
    socket.socket.connect = socket.socket.connect_ex = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect, socket.socket.connect_ex = kept  # type: ignore[method-assign]


async def _perform(
    connector: Connector, operation: Operation, recorder: Recorder, arguments: Mapping[str, Any] | None = None
) -> Any:
    given = checked(operation, operation.example if arguments is None else arguments)
    with _no_socket():
        return await connector.perform(operation, given, recorder)


async def _requests(connector: Connector, operation: Operation, arguments: Mapping[str, Any]) -> list[OutgoingRequest]:
    """What it sends when every answer is empty. Refusing the arguments is an answer too: nothing was sent."""
    recorder = Recorder(tenant_host=_tenant(connector), answer={})
    try:
        await _perform(connector, operation, recorder, arguments)
    except (JouleError, _OpenedASocket):
        pass
    except Exception:  # noqa: BLE001, S110 - `it_survives_odd_answers` tells of these
        pass
    return recorder.requests


def _hostile(operation: Operation) -> Iterator[Mapping[str, Any]]:
    """The example with one text after the other made into an attempt to lead elsewhere."""
    for name, rule in operation.schema()["properties"].items():
        if rule.get("type") == "string":
            yield {**operation.example, name: HOSTILE}


def _astray(connector: Connector, request: OutgoingRequest) -> Iterator[str]:
    provider, tenant = connector.provider, _tenant(connector)
    try:
        host_of(provider, "{tenant}" if tenant is not None and request.host == tenant else request.host, tenant)
    except JouleError:
        yield "it sends to a host that is not the provider's"
    if request.scheme != provider.scheme:
        yield f"it speaks {request.scheme}"
    if not request.path.startswith("/") or HOSTILE in request.path or "/../" in request.path:
        yield "an argument changes the address"


def _tenant(connector: Connector) -> str | None:
    return connector.provider.tenant_example
