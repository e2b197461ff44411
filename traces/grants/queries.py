"""What pages may read of requests, grants and reads. No content of a task; what a request was for, where it still opens."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.kernel.principal import Role
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault
from traces import sealing
from traces.grants import _store
from traces.grants._store import ASKED, BREAK_GLASS, GRANTED, REQUEST
from traces.grants.parts import EVERYTHING, Part
from traces.grants.tables import REASON, ContentAccessRow, ContentReadRow

_Row = ContentAccessRow
OPENS_FOR = timedelta(seconds=60)  # how long after its record a read may be shown


class State(StrEnum):
    """Where a request stands at this moment."""

    WAITING = "waiting"
    LIVE = "live"
    EXPIRED = "expired"
    LAPSED = "lapsed"  # nobody answered in time
    DECLINED = "declined"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class Access:
    """One request or grant as it stands. `reason` is None where it was erased with the task's content."""

    id: UUID
    task: TaskId
    is_break_glass: bool
    state: State
    asked_by: PersonId
    asked_at: datetime
    asked_parts: tuple[Part, ...]
    asked_hours: int
    parts: tuple[Part, ...]
    answered_by: PersonId | None
    answered_at: datetime | None
    expires_at: datetime | None
    ended_by: PersonId | None
    ended_at: datetime | None
    seen_at: datetime | None
    reason: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Read:
    """One read of a task's content."""

    id: UUID
    task: TaskId
    access: UUID | None
    is_break_glass: bool
    reader: PersonId
    role: Role
    parts: tuple[Part, ...]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """What owners and admins are told on every page."""

    waiting: int
    unseen: tuple[Access, ...]  # each break-glass the organisation has not taken note of


async def accesses(
    session: ReadSession,
    vault: Vault,
    org: OrgId,
    *,
    now: datetime,
    task: TaskId | None = None,
    person: PersonId | None = None,
    limit: int = 200,
) -> list[Access]:
    """Requests and grants, the newest first: of the organisation, of one task, or of one person."""
    wanted: list[ColumnElement[bool]] = [col(_Row.org_id) == org]
    if task is not None:
        wanted.append(col(_Row.task_id) == task)
    if person is not None:
        wanted.append(or_(col(_Row.asked_by) == person, col(_Row.answered_by) == person))
    rows = (await session.scalars(select(_Row).where(*wanted).order_by(col(_Row.id).desc()).limit(limit))).all()
    return [_access(row, now, await _reason(session, vault, org, row)) for row in rows]


async def alerts(session: ReadSession, org: OrgId, *, now: datetime) -> Alerts:
    """How many requests wait, and which break-glasses nobody has acknowledged."""
    waiting = await session.scalar(
        select(func.count())
        .select_from(_Row)
        .where(
            col(_Row.org_id) == org,
            col(_Row.state) == ASKED,
            col(_Row.kind) == REQUEST,
            col(_Row.asked_at) > now - _store.WAITS[REQUEST],
        )
    )
    unseen = await session.scalars(
        select(_Row)
        .where(
            col(_Row.org_id) == org,
            col(_Row.kind) == BREAK_GLASS,
            col(_Row.seen_at).is_(None),
            col(_Row.expires_at).is_not(None),
        )
        .order_by(col(_Row.id).desc())
        .limit(20)
    )
    return Alerts(waiting=int(waiting or 0), unseen=tuple(_access(row, now, None) for row in unseen.all()))


async def reads(session: ReadSession, org: OrgId, *, task: TaskId | None = None, limit: int = 100) -> list[Read]:
    """Reads of content, the newest first: of the organisation or of one task."""
    read = ContentReadRow
    wanted = [col(read.org_id) == org, *([col(read.task_id) == task] if task is not None else [])]
    found = await session.execute(
        select(read, col(_Row.kind))
        .outerjoin(_Row, (col(_Row.org_id) == col(read.org_id)) & (col(_Row.id) == col(read.access_id)))
        .where(*wanted)
        .order_by(col(read.at).desc(), col(read.id).desc())
        .limit(limit)
    )
    return [
        Read(
            id=row.id,
            task=TaskId(row.task_id),
            access=row.access_id,
            is_break_glass=kind == BREAK_GLASS,
            reader=PersonId(row.reader_id),
            role=Role(row.role),
            parts=_parts(row.parts),
            at=row.at,
        )
        for row, kind in found.all()
    ]


async def are_due(session: ReadSession, org: OrgId, *, now: datetime) -> bool:
    """Whether anything is past its time."""
    accesses = exists().where(col(_Row.org_id) == org, col(_Row.forget_at) <= now)
    read = exists().where(col(ContentReadRow.org_id) == org, col(ContentReadRow.forget_at) <= now)
    return bool(await session.scalar(select(or_(accesses, read))))


async def break_glasses(session: ReadSession, org: OrgId) -> list[UUID]:
    """The ids of every break-glass there was."""
    return list(
        await session.scalars(select(col(_Row.id)).where(col(_Row.org_id) == org, col(_Row.kind) == BREAK_GLASS))
    )


async def readable(
    session: ReadSession, org: OrgId, task: TaskId, *, person: PersonId, role: Role, now: datetime
) -> frozenset[Part]:
    """What of a task this person could read now, if the read is written down first. Nothing by omission.

    For showing the right buttons: the leave itself is given by `ReadContent` alone.
    """
    if role in {Role.OWNER, Role.ADMIN}:
        return EVERYTHING
    if role is not Role.SUPPORT:
        return frozenset()
    live = (
        each
        for each in (
            await session.scalars(select(_Row).where(col(_Row.org_id) == org, col(_Row.task_id) == task))
        ).all()
        if _state(each, now) is State.LIVE and person in _store.people_of(each)
    )
    widest = max(live, key=lambda each: len(each.parts), default=None)
    return frozenset() if widest is None else frozenset(_parts(widest.parts))


async def on_record(
    session: ReadSession, org: OrgId, task: TaskId, *, person: PersonId, now: datetime
) -> frozenset[Part]:
    """What of a task this person has on record that they read, within the last minute: what may be shown to them now."""
    read = ContentReadRow
    found = await session.scalar(
        select(read)
        .where(
            col(read.org_id) == org,
            col(read.task_id) == task,
            col(read.reader_id) == person,
            col(read.at) > now - OPENS_FOR,
            col(read.at) <= now,
        )
        .order_by(col(read.id).desc())
        .limit(1)
    )
    if found is None or not await is_open(session, org, found, now=now):
        return frozenset()
    return frozenset(_parts(found.parts))


async def is_open(session: ReadSession, org: OrgId, read: ContentReadRow, *, now: datetime) -> bool:
    """Whether the grant a read was made under, if it was made under one, is still live."""
    if read.access_id is None:
        return True
    grant = await session.get(_Row, (org, read.access_id))
    return grant is not None and _state(grant, now) is State.LIVE


async def _reason(session: ReadSession, vault: Vault, org: OrgId, row: ContentAccessRow) -> str | None:
    try:
        keyring = await sealing.ring(session, vault, org, TaskId(row.task_id))
    except (NoKey, NotFound, Shredded):
        return None
    return keyring.open_text(row.reason, row=row.id, field=REASON)


def _parts(words: Sequence[str]) -> tuple[Part, ...]:
    return tuple(part for part in Part if part.value in words)


def _state(row: ContentAccessRow, now: datetime) -> State:
    if row.state == ASKED:
        return State.WAITING if now < row.asked_at + _store.WAITS[row.kind] else State.LAPSED
    if row.state == GRANTED:
        return State.LIVE if row.expires_at is not None and now < row.expires_at else State.EXPIRED
    return State(row.state)


def _access(row: ContentAccessRow, now: datetime, reason: str | None) -> Access:
    return Access(
        id=row.id,
        task=TaskId(row.task_id),
        is_break_glass=row.kind == BREAK_GLASS,
        state=_state(row, now),
        asked_by=PersonId(row.asked_by),
        asked_at=row.asked_at,
        asked_parts=_parts(row.asked_parts),
        asked_hours=row.asked_hours,
        parts=_parts(row.parts),
        answered_by=PersonId(row.answered_by) if row.answered_by else None,
        answered_at=row.answered_at,
        expires_at=row.expires_at,
        ended_by=PersonId(row.ended_by) if row.ended_by else None,
        ended_at=row.ended_at,
        seen_at=row.seen_at,
        reason=reason,
    )
