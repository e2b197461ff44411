"""What pages and the command line may read of heads and their delivery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId
from joule.vault.vault import Vault
from traces.proof.delivering import ADDRESS

_NEWEST = text(
    "SELECT DISTINCT ON (retention, day) number, retention, day, size, root, at, note FROM trace_head"
    " WHERE org_id = :org ORDER BY retention, day DESC, size DESC"
)
_HEAD = text(
    "SELECT number, retention, day, size, root, at, note FROM trace_head WHERE org_id = :org AND number = :number"
)
_DELIVERIES = text(
    "SELECT d.*, (SELECT count(*) FROM trace_head h WHERE h.org_id = d.org_id AND h.number > d.cursor) AS waiting"
    " FROM trace_delivery d WHERE d.org_id = :org ORDER BY d.sink DESC"
)


@dataclass(frozen=True, kw_only=True)
class Head:
    """A signed head."""

    number: int
    retention: str
    day: date
    size: int
    root: str
    at: datetime
    note: str


async def newest_heads(session: AsyncSession, org: OrgId, *, limit: int = 60) -> Sequence[Head]:
    """The last head of each tree, newest first."""
    rows = (await session.execute(_NEWEST, {"org": org})).all()
    heads = [_head(row) for row in rows]
    return sorted(heads, key=lambda head: head.at, reverse=True)[:limit]


async def head(session: AsyncSession, org: OrgId, number: int) -> Head:
    """One head by its number in the organisation. Raises `NotFound`."""
    row = (await session.execute(_HEAD, {"org": org, "number": number})).one_or_none()
    if row is None:
        raise NotFound("signed head")
    return _head(row)


def _head(row: Any) -> Head:
    return Head(
        number=row.number,
        retention=row.retention,
        day=row.day,
        size=row.size,
        root=bytes(row.root).hex(),
        at=row.at,
        note=row.note,
    )


@dataclass(frozen=True, kw_only=True)
class DeliveryState:
    """How sending heads somewhere stands."""

    sink: str  # webhook or bucket
    host: str  # of the webhook; its whole address may hold a secret
    waiting: int  # heads that have not arrived
    tried_at: datetime | None
    delivered_at: datetime | None
    failures: int  # in a row
    problem: str  # a closed word; empty when the last try went well
    next_at: datetime | None


async def deliveries(session: AsyncSession, vault: Vault, org: OrgId) -> Sequence[DeliveryState]:
    """Everywhere heads of `org` are sent; empty: nowhere."""
    states = []
    for row in (await session.execute(_DELIVERIES, {"org": org})).all():
        host = ""
        if row.address is not None:
            ring = await vault.keyring(session, org)
            host = urlsplit(ring.open_text(bytes(row.address), row=org, field=ADDRESS)).hostname or ""
        states.append(
            DeliveryState(
                sink=row.sink,
                host=host,
                waiting=row.waiting,
                tried_at=row.tried_at,
                delivered_at=row.delivered_at,
                failures=row.failures,
                problem=row.problem or "",
                next_at=row.next_at,
            )
        )
    return states
