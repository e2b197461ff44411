"""All SQL on data keys. Every function runs inside the caller's transaction, under its organisation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Result, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.ids import OrgId
from joule.vault.wrapper import KekName, WrappedKey

_COLUMNS = "id, subject, ordinal, scheme, kek_id, wrapped, state"

_OF_SUBJECT = text(f"SELECT {_COLUMNS} FROM data_key WHERE org_id = :org AND subject = :subject ORDER BY ordinal")

_ADD = text(
    "INSERT INTO data_key (org_id, id, subject, ordinal, scheme, kek_id, wrapped, state, created_at, ended_at)"
    " VALUES (:org, :id, :subject, :ordinal, :scheme, :kek_id, :wrapped, :state, :at, :ended)"
    " ON CONFLICT (org_id, subject, ordinal) DO NOTHING"
)

_RETIRE = text(
    "UPDATE data_key SET state = 'retired', ended_at = :at"
    " WHERE org_id = :org AND subject = :subject AND state = 'active'"
)

_SHRED = text(
    "UPDATE data_key SET state = 'shredded', wrapped = ''::bytea, ended_at = :at"
    " WHERE org_id = :org AND (CAST(:subject AS text) IS NULL OR subject = :subject) AND state <> 'shredded'"
)

_MADE_BEFORE = text(
    "SELECT subject FROM data_key WHERE org_id = :org AND state = 'active' AND created_at < :before"
    " AND CASE WHEN :kind = '' THEN subject = '' ELSE starts_with(subject, :kind || ':') END"
    " ORDER BY created_at, id LIMIT :many"
)

# From the unique index: the names of a kind stand together in it.
_LIVING = text(
    "SELECT subject FROM data_key WHERE org_id = :org AND subject >= :first AND subject < :last AND state = 'active'"
    " ORDER BY subject LIMIT :many"
)

_ORG_SHREDDED = text("SELECT 1 FROM data_key WHERE org_id = :org AND subject = '' AND state = 'shredded' LIMIT 1")

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_LOCK_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")

_LEFT = text("SELECT count(*) FROM data_key WHERE state <> 'shredded' AND NOT (scheme = :scheme AND kek_id = :kek_id)")
_WRAPPED_BY = text("SELECT count(*) FROM data_key WHERE state <> 'shredded' AND scheme = :scheme AND kek_id = :kek_id")

_BATCH = text(
    f"SELECT org_id, {_COLUMNS} FROM data_key"
    " WHERE state <> 'shredded' AND NOT (scheme = :scheme AND kek_id = :kek_id)"
    " ORDER BY org_id, id LIMIT :many FOR UPDATE SKIP LOCKED"
)
_REWRAP = text(
    "UPDATE data_key SET scheme = :scheme, kek_id = :kek_id, wrapped = :wrapped"
    " WHERE org_id = :org AND id = :id AND state <> 'shredded'"
)

ANY_KEK = "joule.vault.kek"  # shared: someone wraps a key; exclusive: a wrapping key is being retired


def org_lock(org: OrgId) -> str:
    """Shared: a key is added in the organisation; exclusive: the organisation is being shredded."""
    return f"joule.vault.org:{org}"


def subject_lock(org: OrgId, subject: str) -> str:
    """Exclusive: the keys of one subject are being replaced or destroyed."""
    return f"joule.vault.subject:{org}:{subject}"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One row, as stored."""

    id: UUID
    subject: str
    ordinal: int
    wrapped: WrappedKey
    state: str


@dataclass(frozen=True, kw_only=True)
class StoredOf:
    """One row and the organisation it belongs to."""

    org: OrgId
    stored: Stored


async def of_subject(session: AsyncSession, org: OrgId, subject: str) -> Sequence[Stored]:
    """The rows of a subject as they are now, oldest first. Never served from the session's memory."""
    found = await session.execute(_OF_SUBJECT, {"org": org, "subject": subject})
    return [_stored(row) for row in found.mappings()]


def from_columns(found: Mapping[str, Sequence[Any]]) -> Sequence[Stored]:
    """Rows that came along in another room's statement, each column as a list; oldest first."""
    columns = (found[name] for name in ("id", "subject", "ordinal", "scheme", "kek_id", "wrapped", "state"))
    return [
        Stored(
            id=key,
            subject=subject,
            ordinal=ordinal,
            wrapped=WrappedKey(kek=KekName(scheme=scheme, kek_id=kek), blob=bytes(wrapped)),
            state=state,
        )
        for key, subject, ordinal, scheme, kek, wrapped, state in zip(*columns, strict=True)
    ]


async def made_before(
    session: AsyncSession, org: OrgId, kind: str, *, before: datetime, many: int | None
) -> Sequence[str]:
    """The subjects of a kind ("" is the organisation itself) whose present key was made before, longest ago first."""
    found = await session.execute(_MADE_BEFORE, {"org": org, "kind": kind, "before": before, "many": many})
    return list(found.scalars())


async def living(session: AsyncSession, org: OrgId, first: str, last: str, *, many: int) -> Sequence[str]:
    """The subjects with a key whose name lies in [first, last), in the order of their names."""
    found = await session.execute(_LIVING, {"org": org, "first": first, "last": last, "many": many})
    return list(found.scalars())


async def add(
    session: AsyncSession,
    org: OrgId,
    stored: Stored,
    *,
    at: datetime,
    ended: datetime | None = None,
) -> bool:
    """Whether the row was added: False when its ordinal is taken, after waiting for whoever was taking it."""
    done = await session.execute(
        _ADD,
        {
            "org": org,
            "id": stored.id,
            "subject": stored.subject,
            "ordinal": stored.ordinal,
            "scheme": stored.wrapped.kek.scheme,
            "kek_id": stored.wrapped.kek.kek_id,
            "wrapped": stored.wrapped.blob,
            "state": stored.state,
            "at": at,
            "ended": ended,
        },
    )
    return _count(done) == 1


async def retire(session: AsyncSession, org: OrgId, subject: str, *, at: datetime) -> None:
    await session.execute(_RETIRE, {"org": org, "subject": subject, "at": at})


async def shred(session: AsyncSession, org: OrgId, subject: str | None, *, at: datetime) -> int:
    """Empties the keys of a subject, or of every subject; returns how many still had something in them."""
    return _count(await session.execute(_SHRED, {"org": org, "subject": subject, "at": at}))


async def is_org_shredded(session: AsyncSession, org: OrgId) -> bool:
    return (await session.execute(_ORG_SHREDDED, {"org": org})).first() is not None


async def lock(session: AsyncSession, name: str, *, shared: bool = False) -> None:
    """Until the end of the transaction."""
    await session.execute(_LOCK_SHARED if shared else _LOCK, {"name": name})


async def left_outside(session: AsyncSession, kek: KekName) -> int:
    """How many living keys are wrapped by anything but `kek`, in all organisations the session may see."""
    return int((await session.execute(_LEFT, {"scheme": kek.scheme, "kek_id": kek.kek_id})).scalar_one())


async def wrapped_by(session: AsyncSession, kek: KekName) -> int:
    """How many living keys need `kek`, in all organisations the session may see."""
    return int((await session.execute(_WRAPPED_BY, {"scheme": kek.scheme, "kek_id": kek.kek_id})).scalar_one())


async def batch_outside(session: AsyncSession, kek: KekName, *, many: int) -> Sequence[StoredOf]:
    """Up to `many` living keys not wrapped by `kek`, locked; those someone else has locked are left for later."""
    found = await session.execute(_BATCH, {"scheme": kek.scheme, "kek_id": kek.kek_id, "many": many})
    return [StoredOf(org=OrgId(row["org_id"]), stored=_stored(row)) for row in found.mappings()]


async def rewrap(session: AsyncSession, org: OrgId, key: UUID, wrapped: WrappedKey) -> None:
    await session.execute(
        _REWRAP,
        {
            "org": org,
            "id": key,
            "scheme": wrapped.kek.scheme,
            "kek_id": wrapped.kek.kek_id,
            "wrapped": wrapped.blob,
        },
    )


def _stored(row: RowMapping) -> Stored:
    return Stored(
        id=row["id"],
        subject=row["subject"],
        ordinal=row["ordinal"],
        wrapped=WrappedKey(kek=KekName(scheme=row["scheme"], kek_id=row["kek_id"]), blob=bytes(row["wrapped"])),
        state=row["state"],
    )


def _count(result: Result[Any]) -> int:
    return cast(CursorResult[Any], result).rowcount
