"""Which hosts code may reach, as people see it: never the secrets, only that there is one."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.kernel.ids import OrgId, PersonId
from joule.vault.keys import Keyring
from sandbox.egress.places import Place
from sandbox.tables import OutsideHostRow

NAME, HEADER, SECRET = "outside_host.name", "outside_host.header", "outside_host.secret"
MOST = 200  # hosts of one organisation


@dataclass(frozen=True, kw_only=True)
class OutsideHost:
    """A host that code may reach. `header` names what the proxy attaches its secret in, if there is one."""

    id: UUID
    place: Place
    header: str | None
    added_by: PersonId | None
    added_at: datetime


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A place on the list, with what is attached on the way there: for the proxy alone."""

    id: UUID
    header: str | None
    secret: str | None = field(repr=False)


async def outside_hosts(session: AsyncSession, keyring: Keyring) -> tuple[OutsideHost, ...]:
    """All of an organisation's, by name."""
    rows = await session.scalars(select(OutsideHostRow).where(col(OutsideHostRow.org_id) == keyring.org).limit(MOST))
    found = [
        OutsideHost(
            id=row.id,
            place=Place(host=_open(keyring, row, row.name, NAME), port=row.port),
            header=None if row.header is None else _open(keyring, row, row.header, HEADER),
            added_by=None if row.added_by is None else PersonId(row.added_by),
            added_at=row.added_at,
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda each: (each.place.host, each.place.port)))


async def leads_out(session: AsyncSession, org: OrgId) -> bool:
    """Whether the organisation has listed any host, so that its sandboxes have a way out at all."""
    return (
        await session.scalar(select(col(OutsideHostRow.id)).where(col(OutsideHostRow.org_id) == org).limit(1))
        is not None
    )


async def how_many(session: AsyncSession, org: OrgId) -> int:
    """Hosts on the list."""
    return int(
        await session.scalar(select(func.count()).select_from(OutsideHostRow).where(col(OutsideHostRow.org_id) == org))
        or 0
    )


async def listed(session: AsyncSession, keyring: Keyring, place: Place) -> Listed | None:
    """Exactly this place, if it is on the list."""
    row = await session.scalar(
        select(OutsideHostRow).where(
            col(OutsideHostRow.org_id) == keyring.org, col(OutsideHostRow.name_key) == key_of(keyring, place)
        )
    )
    if row is None or row.port != place.port or _open(keyring, row, row.name, NAME) != place.host:
        return None
    return Listed(
        id=row.id,
        header=None if row.header is None else _open(keyring, row, row.header, HEADER),
        secret=None if row.secret is None else _open(keyring, row, row.secret, SECRET),
    )


def key_of(keyring: Keyring, place: Place) -> bytes:
    """By which a place is found without its name in clear."""
    return keyring.commitment(NAME, json.dumps([place.host, place.port]).encode())


def _open(keyring: Keyring, row: OutsideHostRow, sealed: bytes, field: str) -> str:
    return keyring.open_text(sealed, row=row.id, field=field, generation=row.generation)
