"""Gives sandboxes their way out: the guarded network carries what the gate lets through.

The network is one of its own: what other rooms may reach on this machine is not reachable from a sandbox.
"""

from collections.abc import Collection, Mapping
from typing import NoReturn

from integrations.broker.addresses import Resolver
from integrations.broker.guard import Limits, Network
from integrations.broker.passing import NotPassed, passed
from joule.kernel.sections import SandboxSettings
from sandbox.egress.errors import AddressRefused, OutsideAnswerRefused, OutsideAway

_SECONDS = 20.0  # from the first packet to the last byte


class Outside:
    """Implements `sandbox.egress.passing.Carrier`."""

    def __init__(self, *, loopback: Collection[tuple[str, int]] = (), resolver: Resolver | None = None) -> None:
        self.loopback: Collection[tuple[str, int]] = frozenset(loopback)
        self._network = Network(loopback=loopback, resolver=resolver)

    async def carry(
        self, *, host: str, port: int, method: str, path: str, headers: Mapping[str, str], body: bytes, most: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = await passed(
            self._network,
            (host, port),
            plain=(host, port) in self.loopback,
            method=method,
            path=path,
            headers=headers,
            body=body,
            limits=Limits(seconds=_SECONDS, answer_bytes=most),
        )
        if isinstance(answer, NotPassed):
            _raise(answer)
        return answer.status, answer.headers, answer.body

    async def close(self) -> None:
        await self._network.close()


def outside(settings: SandboxSettings) -> Outside:
    """The way out of this installation's sandboxes; nothing is connected yet."""
    return Outside(loopback=(("127.0.0.1", settings.outside_port),) if settings.outside_port else ())


def _raise(answer: NotPassed) -> NoReturn:
    if answer.kind == "host":
        raise AddressRefused()
    if answer.kind == "answer":
        raise OutsideAnswerRefused(answer.reason)
    raise OutsideAway()
