"""Attempts on the way out of a sandbox: by names, answers and requests that say more than they should.

The proxy is the product's own; beside each attempt stands the naive way of doing the same, which lets it through.
"""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

from joule.bench.attacks.attack import Given, Siege
from joule.kernel.action import Action
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId, ProjectId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from sandbox.egress import _echo, asking
from sandbox.egress.door import Door, Leave
from sandbox.egress.results import Reached, Reply

_PUBLIC, _HERE = "93.184.216.34", "127.0.0.1"
_NAME = "api.listed.test"
_SECRET = "Bearer stolen-if-seen-41c7"  # noqa: S105
_LENGTH = struct.Struct(">I")


class _Turning:
    """A name that leads outside when it is looked at first, and to this machine from then on."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        return (self._answers.pop(0) if len(self._answers) > 1 else self._answers[0],)


def ready() -> None:
    """Import what the attempts use; not at import, for it takes longer than all of the other attacks together."""
    import joule.assembly.outside  # noqa: F401


async def _carried(port: int, resolver: _Turning, *, here: bool = False, path: str = "/") -> bytes:
    """What the product's proxy brings back; nothing when it refuses. `here`: the endpoint was set up for trying."""
    from joule.assembly.outside import Outside

    carrier = Outside(loopback=((_HERE, port),) if here else (), resolver=resolver)
    try:
        async with asyncio.timeout(3):
            host = _HERE if here else _NAME
            _, _, body = await carrier.carry(
                host=host, port=port, method="GET", path=path, headers={}, body=b"", most=10_000
            )
    except (JouleError, TimeoutError):
        return b""
    finally:
        await carrier.close()
    return body


async def _asked(host: str, port: int, path: str = "/") -> bytes:
    """What anybody gets who simply connects there."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        writer.write_eof()
        async with asyncio.timeout(3):
            return await reader.read(10_000)
    finally:
        writer.close()


async def list_a_name_that_leads_inside(given: Given) -> bool:
    return given["mark"].encode() in await _carried(given["metadata"], _Turning(_HERE))


async def _connected_to_whatever_it_was(given: Given) -> bool:
    return given["mark"].encode() in await _asked((await _Turning(_HERE).addresses(_NAME, 443))[0], given["metadata"])


async def change_the_address_behind_a_name(given: Given) -> bool:
    turning = _Turning(_PUBLIC, _HERE)
    await turning.addresses(_NAME, 443)  # whoever looked when it was listed saw a public address
    return given["mark"].encode() in await _carried(given["metadata"], turning)


async def _looked_twice(given: Given) -> bool:
    """Judges the address, then connects by name: which asks again."""
    from integrations.broker.addresses import refusal

    turning = _Turning(_PUBLIC, _HERE)
    if refusal((await turning.addresses(_NAME, 443))[0]) is not None:
        return False
    return given["mark"].encode() in await _asked((await turning.addresses(_NAME, 443))[0], given["metadata"])


@asynccontextmanager
async def _pointing(given: Given) -> AsyncIterator[int]:
    """A listed host that sends whoever asks on to a service of this machine."""
    target = f"http://{_HERE}:{given['metadata']}/"
    said = f"HTTP/1.1 302 X\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with _serving(said.encode()) as port:
        yield port


async def send_the_proxy_elsewhere(given: Given) -> bool:
    async with _pointing(given) as port:
        return given["mark"].encode() in await _carried(port, _Turning(_HERE), here=True)


async def _followed_it(given: Given) -> bool:
    """Goes where the answer says."""
    async with _pointing(given) as port:
        told = await _asked(_HERE, port)
        where = told.partition(b"Location: http://")[2].partition(b"/")[0].decode()
        host, _, there = where.partition(":")
        return given["mark"].encode() in await _asked(host, int(there))


_SMUGGLED = "/ HTTP/1.1\r\nHost: inside.test\r\n\r\nGET /second"


async def smuggle_a_second_request(given: Given) -> bool:
    head = {"scheme": "https", "host": _NAME, "port": 443, "method": "GET", "path": _SMUGGLED, "headers": []}
    try:
        return "\r\n" in asking.asked(json.dumps(head).encode(), b"").path
    except JouleError:
        return False


async def _wrote_the_path_down(given: Given) -> bool:
    """Writes what it was given onto the line."""
    return f"GET {_SMUGGLED} HTTP/1.1\r\nHost: {_NAME}\r\n\r\n".count("HTTP/1.1") > 1


async def hear_the_secret_back(given: Given) -> bool:
    body = json.dumps({"you": {"authorization": _SECRET}}).encode()
    return b"stolen-if-seen" in _echo.without(body, _echo.parts_of(_SECRET))


async def _passed_it_on(given: Given) -> bool:
    return b"stolen-if-seen" in json.dumps({"you": {"authorization": _SECRET}}).encode()


@asynccontextmanager
async def _door(answered: list[Action[Reached]]) -> AsyncIterator[Door]:
    """A door whose gate says yes to everything, and remembers what it was asked."""
    replies: dict[UUID, Reply] = {}

    async def perform(action: Action[Reached]) -> Reached:
        answered.append(action)
        replies[action.reply] = Reply(status=200, headers=(), body=b"ok")  # type: ignore[attr-defined]
        return Reached(status=200, sent=0, received=2, with_secret=False, label=Label())

    door = Door(session=uuid4(), perform=perform, taken=lambda reply: replies.pop(reply, None))
    await door.open()
    try:
        yield door
    finally:
        await door.close()


def _leave() -> Leave:
    async def heard(_: Label) -> None:
        return

    who = Principal(org=OrgId(new_id()), person=None, role=Role.MEMBER, via=Via.AGENT)
    return Leave(principal=who, project=ProjectId(new_id()), task=TaskId(new_id()), label=lambda: Label(), heard=heard)


async def _says(folder: Path, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(folder / "line")
    try:
        with suppress(ConnectionError, TimeoutError):
            for part in parts:
                writer.write(part)
            await writer.drain()
            async with asyncio.timeout(1):
                return await reader.read(10_000)
        return b""
    finally:
        writer.close()


def _request() -> tuple[bytes, bytes]:
    head = json.dumps(
        {"scheme": "https", "host": _NAME, "port": 443, "method": "GET", "path": "/", "headers": []}
    ).encode()
    return _LENGTH.pack(len(head)) + head, _LENGTH.pack(0)


async def ask_when_no_command_runs(given: Given) -> bool:
    answered: list[Action[Reached]] = []
    async with _door(answered) as door:
        await _says(door.folder, *_request())
    return bool(answered)


async def _ask_while_one_runs(given: Given) -> bool:
    answered: list[Action[Reached]] = []
    async with _door(answered) as door, door.during(_leave()):
        await _says(door.folder, *_request())
    return bool(answered)


async def ask_with_a_length_of_four_gigabytes(given: Given) -> bool:
    """Whether the door waits for it, rather than saying at once that it does not."""
    answered: list[Action[Reached]] = []
    async with _door(answered) as door, door.during(_leave()):
        return b"refused" not in await _says(door.folder, _LENGTH.pack(2**32 - 1), b"x" * 1000)


async def _believed_the_length(given: Given) -> bool:
    reader = asyncio.StreamReader()
    reader.feed_data(_LENGTH.pack(2**32 - 1) + bytes(1000))
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.readexactly(length)
            return False
    return True


@asynccontextmanager
async def _serving(said: bytes) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, _HERE, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


SIEGES = (
    Siege(number="65", run=list_a_name_that_leads_inside, without=_connected_to_whatever_it_was),
    Siege(number="65a", run=send_the_proxy_elsewhere, without=_followed_it),
    Siege(number="65b", run=smuggle_a_second_request, without=_wrote_the_path_down),
    Siege(number="65c", run=hear_the_secret_back, without=_passed_it_on),
    Siege(number="65d", run=ask_when_no_command_runs, without=_ask_while_one_runs),
    Siege(number="65e", run=ask_with_a_length_of_four_gigabytes, without=_believed_the_length),
    Siege(number="70", run=change_the_address_behind_a_name, without=_looked_twice),
)
