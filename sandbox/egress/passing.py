"""Passes a request on to a listed host and lays its answer where the door finds it. The secret is attached here and nowhere else.

What is not listed at this very moment is not asked, whatever was listed when the sandbox was made.
"""

from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

from joule.database.engine import Database
from joule.kernel.ids import OrgId
from joule.kernel.label import Label
from joule.vault.vault import Vault
from sandbox.egress import _echo, asking, places, queries
from sandbox.egress.actions import ReachOut
from sandbox.egress.errors import HostNotListed, PlaceRefused
from sandbox.egress.results import Reached, Reply

LARGEST_ANSWER = 10 * 2**20  # bytes
_PASSED_IN = frozenset({"content-type", "etag", "last-modified", "date", "link", "retry-after", "location"})


class Carrier(Protocol):
    """Carries one request over the network: resolves the name itself, judges every address, and dials what was judged."""

    loopback: Collection[tuple[str, int]]  # endpoints of this machine that were set up to be tried

    async def carry(
        self, *, host: str, port: int, method: str, path: str, headers: Mapping[str, str], body: bytes, most: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers in lower case and body. Raises `AddressRefused`, `OutsideAnswerRefused`, `OutsideAway`."""
        ...


class Passing:
    """The proxy's hands. Answers lie here only until the door takes them: nothing of them is journalled."""

    def __init__(self, *, database: Database, vault: Vault, carrier: Carrier) -> None:
        self._database, self._vault, self._carrier = database, vault, carrier
        self._replies: dict[UUID, Reply] = {}

    @property
    def loopback(self) -> Collection[tuple[str, int]]:
        return self._carrier.loopback

    async def passed(self, action: ReachOut) -> Reached:
        """Raises `HostNotListed` and what the carrier raises; then nothing lies ready."""
        org = action.principal.org
        try:
            place = places.place(action.host, action.port, loopback=self.loopback)
        except PlaceRefused:
            raise HostNotListed() from None
        found = await self._listed(org, place)
        headers = {"User-Agent": "Joule-sandbox", **asking.without(action.headers, found.header)}
        secrets: tuple[str, ...] = ()
        if found.header is not None and found.secret is not None:
            headers[found.header] = found.secret
            secrets = _echo.parts_of(found.secret)
        status, told, body = await self._carrier.carry(
            host=place.host,
            port=place.port,
            method=action.method,
            path=action.path,
            headers=headers,
            body=action.body,
            most=LARGEST_ANSWER,
        )
        self._replies[action.reply] = Reply(
            status=status,
            headers=tuple(
                (name, _echo.without(value.encode(), secrets).decode(errors="replace"))
                for name, value in told.items()
                if name in _PASSED_IN or name.startswith("x-ratelimit")
            ),
            body=_echo.without(body, secrets),
        )
        return Reached(
            status=status,
            sent=len(action.body),
            received=len(body),
            with_secret=bool(secrets),
            label=Label(sources=frozenset({f"outside:{found.id}"})),
        )

    def taken(self, reply: UUID) -> Reply | None:
        """The answer, once; None when there is none."""
        return self._replies.pop(reply, None)

    async def _listed(self, org: OrgId, place: places.Place) -> queries.Listed:
        async with self._database.read(org) as session:
            keyring = await self._vault.keyring(session, org)
            found = await queries.listed(session, keyring, place)
        if found is None:
            raise HostNotListed()
        return found
