"""Sends signed heads to whoever shall keep them: an organisation's webhook, the deployment's bucket. At least once.

How far it came is a cursor over the organisation's heads. What sending them writes into the journal is sealed like
everything else, but is no reason to send again; else sending would never end.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId
from joule.vault.vault import Vault
from traces.proof.errors import DeliveryFailed
from traces.proof.results import Delivered

WEBHOOK, BUCKET = "webhook", "bucket"
AT_ONCE: Final = 100  # heads in one delivery
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
ADDRESS = "delivery.address"  # the sealed field

_ROW = text("SELECT address, cursor, failures, next_at FROM trace_delivery WHERE org_id = :org AND sink = :sink")
_HEADS = text(
    "SELECT number, retention, day, size, note FROM trace_head WHERE org_id = :org AND number > :cursor"
    " ORDER BY number LIMIT :many"
)
_NEWS = text(
    "SELECT EXISTS (SELECT FROM trace_head h JOIN trace_seal s"
    "   ON s.org_id = h.org_id AND s.retention = h.retention AND s.day = h.day AND s.at = h.at"
    "  LEFT JOIN trace_chain c ON c.org_id = s.org_id AND c.task_id = s.task_id"
    "  WHERE h.org_id = :org AND h.number > :cursor AND NOT EXISTS (SELECT FROM trace_event e"
    "    WHERE e.org_id = c.org_id AND e.task_id = c.task_id AND e.retention = c.retention AND e.at >= c.started_at"
    "      AND e.seq <= 1 AND e.action IN ('traces.deliver_heads', 'traces.export_spans')))"
)
_BEGIN = text(
    "INSERT INTO trace_delivery (org_id, sink, address, cursor, failures, decision_id)"
    " VALUES (:org, :sink, :address, :cursor, 0, :decision) ON CONFLICT (org_id, sink) DO UPDATE"
    " SET address = EXCLUDED.address, failures = 0, problem = NULL, next_at = NULL, decision_id = EXCLUDED.decision_id"
)
_END = text("DELETE FROM trace_delivery WHERE org_id = :org AND sink = :sink")
_DONE = text(
    "UPDATE trace_delivery SET cursor = greatest(cursor, :cursor), tried_at = :at, delivered_at = :at, failures = 0,"
    " problem = NULL, next_at = NULL, decision_id = :decision WHERE org_id = :org AND sink = :sink"
)
_FAILED = text(
    "UPDATE trace_delivery SET tried_at = :at, failures = failures + 1, problem = :problem, next_at = :next,"
    " decision_id = :decision WHERE org_id = :org AND sink = :sink"
)
_NEWEST = text("SELECT coalesce(max(number), 0) FROM trace_head WHERE org_id = :org")


@dataclass(frozen=True, kw_only=True)
class SignedHead:
    """One head to be delivered: its number in the organisation, the name of its object, and the note."""

    number: int
    name: str  # `<class>/<day>/<size>`
    note: str


class Carrier(Protocol):
    """One way out."""

    async def carry(self, org: OrgId, address: str, heads: Sequence[SignedHead]) -> None:
        """Deliver all of `heads`. Raises `DeliveryFailed` when it is not sure that they arrived."""
        ...


class Delivery:
    """Where heads go, and how far that came."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        clock: Clock,
        carriers: Mapping[str, Carrier],
        checked: Callable[[str], str],
    ) -> None:
        """`checked` gives a webhook's address in one spelling, or raises `AddressRefused`."""
        self._database, self._vault, self._clock = database, vault, clock
        self._carriers, self._checked = carriers, checked

    async def choose(self, session: WriteSession, org: OrgId, url: str, *, decision: DecisionId) -> bool:
        """Send heads to `url` from now on, or nowhere when it is empty. Whether they are sent now."""
        if not url.strip():
            await session.execute(_END, {"org": org, "sink": WEBHOOK})
            return False
        address = self._checked(url.strip())
        ring = await self._vault.keyring(session, org, create=True)
        newest = int((await session.scalar(_NEWEST, {"org": org})) or 0)
        await session.execute(
            _BEGIN,
            {
                "org": org,
                "sink": WEBHOOK,
                "address": ring.seal_text(address, row=org, field=ADDRESS),
                "cursor": max(newest - 1, 0),  # the newest head goes out at once: its day vouches for all before
                "decision": decision,
            },
        )
        return True

    async def due(self, org: OrgId) -> list[str]:
        """The ways out by which `org` has heads to send now."""
        due = []
        async with self._database.read(org) as session:
            for sink in self._carriers:
                row = (await session.execute(_ROW, {"org": org, "sink": sink})).one_or_none()
                if row is None and sink == WEBHOOK:
                    continue
                if row is not None and row.next_at is not None and row.next_at > self._clock.now():
                    continue
                cursor = 0 if row is None else row.cursor
                if await session.scalar(_NEWS, {"org": org, "cursor": cursor}):
                    due.append(sink)
        return due

    async def deliver(self, org: OrgId, sink: str, *, decision: DecisionId) -> Delivered:
        """Send what was not sent yet. Raises `DeliveryFailed`, having noted it, or `NotFound` where nothing is chosen."""
        carrier = self._carriers.get(sink)
        if carrier is None:
            raise NotFound("way to send heads")
        if sink == BUCKET:
            await self._begin_bucket(org, decision)
        async with self._database.read(org) as session:
            row = (await session.execute(_ROW, {"org": org, "sink": sink})).one_or_none()
            if row is None:
                raise NotFound("way to send heads")
            address = await self._address(session, org, row.address)
            found = (await session.execute(_HEADS, {"org": org, "cursor": row.cursor, "many": AT_ONCE + 1})).all()
        heads = [
            SignedHead(number=each.number, name=f"{each.retention}/{each.day}/{each.size}", note=each.note)
            for each in found[:AT_ONCE]
        ]
        try:
            if heads:
                await carrier.carry(org, address, heads)
        except DeliveryFailed as problem:
            pause = min(_FIRST_PAUSE * 2 ** min(row.failures, 10), _LONGEST_PAUSE)
            given = {"problem": problem.problem, "next": self._clock.now() + pause}
            await self._note(org, sink, _FAILED, given, decision)
            raise
        await self._note(org, sink, _DONE, {"cursor": heads[-1].number if heads else row.cursor}, decision)
        return Delivered(heads=len(heads), more=len(found) > AT_ONCE)

    async def _address(self, session: AsyncSession, org: OrgId, sealed: bytes | None) -> str:
        if sealed is None:
            return ""
        ring = await self._vault.keyring(session, org)
        return ring.open_text(bytes(sealed), row=org, field=ADDRESS)

    async def _begin_bucket(self, org: OrgId, decision: DecisionId) -> None:
        async with self._database.write(org) as session:
            if (await session.execute(_ROW, {"org": org, "sink": BUCKET})).one_or_none() is None:
                given = {"org": org, "sink": BUCKET, "address": None, "cursor": 0, "decision": decision}
                await session.execute(_BEGIN, given)

    async def _note(self, org: OrgId, sink: str, query: Any, given: Mapping[str, Any], decision: DecisionId) -> None:
        at: datetime = self._clock.now()
        async with self._database.write(org) as session:
            await session.execute(query, {**given, "org": org, "sink": sink, "at": at, "decision": decision})


Deliver = Callable[[OrgId, str], Awaitable[Delivered]]
