"""The rows of requests, grants and reads, as the handler finds and ends them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, and_, delete, exists, or_, select, update
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId
from traces.grants.results import AccessForgotten
from traces.grants.tables import ContentAccessRow, ContentReadRow

REQUEST, BREAK_GLASS = "request", "break_glass"
ASKED, GRANTED = "asked", "granted"
OPEN = frozenset({ASKED, GRANTED})
KEPT = timedelta(days=400)  # after the end: a year's audit can still see who read what
WAITS = MappingProxyType({REQUEST: timedelta(days=14), BREAK_GLASS: timedelta(hours=24)})  # then it lapses

_Row = ContentAccessRow


def people_of(row: ContentAccessRow) -> set[UUID]:
    """Who may read under it, once it is granted: whoever asked, and the second person of a break-glass."""
    both = row.kind == BREAK_GLASS and row.answered_by is not None
    return {row.asked_by, row.answered_by} if both and row.answered_by else {row.asked_by}


async def locked(session: WriteSession, org: OrgId, access: UUID) -> ContentAccessRow | None:
    """One row, nobody else's to change until the transaction ends."""
    return (
        await session.scalars(select(_Row).where(col(_Row.org_id) == org, col(_Row.id) == access).with_for_update())
    ).one_or_none()


async def live(
    session: WriteSession, org: OrgId, task: TaskId, person: PersonId, *, now: datetime
) -> Sequence[ContentAccessRow]:
    """The grants under which `person` may read `task` now, the widest first, each locked against revocation."""
    found = await session.scalars(
        select(_Row)
        .where(
            col(_Row.org_id) == org,
            col(_Row.task_id) == task,
            col(_Row.state) == GRANTED,
            col(_Row.expires_at) > now,
            or_(
                col(_Row.asked_by) == person,
                and_(col(_Row.kind) == BREAK_GLASS, col(_Row.answered_by) == person),
            ),
        )
        .with_for_update(read=True)
    )
    return sorted(found.all(), key=lambda row: (-len(row.parts), row.kind == BREAK_GLASS))


async def has_open(session: WriteSession, org: OrgId, task: TaskId, person: PersonId, kind: str) -> bool:
    """Whether the same person has asked the same before and waits."""
    waiting = exists().where(
        col(_Row.org_id) == org,
        col(_Row.task_id) == task,
        col(_Row.asked_by) == person,
        col(_Row.kind) == kind,
        col(_Row.state) == ASKED,
    )
    return bool(await session.scalar(select(waiting)))


async def end_lapsed(
    session: WriteSession, org: OrgId, task: TaskId, *, by: PersonId, now: datetime, decision: DecisionId
) -> None:
    """Let requests of this person that nobody answered in time make room for a new one."""
    for kind, wait in WAITS.items():
        await session.execute(
            update(_Row)
            .where(
                col(_Row.org_id) == org,
                col(_Row.task_id) == task,
                col(_Row.asked_by) == by,
                col(_Row.kind) == kind,
                col(_Row.state) == ASKED,
                col(_Row.asked_at) <= now - wait,
            )
            .values(state="withdrawn", ended_by=by, ended_at=now, forget_at=now + KEPT, decision_id=decision)
        )


async def forget(session: WriteSession, org: OrgId, *, now: datetime) -> AccessForgotten:
    """Delete what is past its time."""
    reads = await session.execute(
        delete(ContentReadRow).where(col(ContentReadRow.org_id) == org, col(ContentReadRow.forget_at) <= now)
    )
    requests = await session.execute(delete(_Row).where(col(_Row.org_id) == org, col(_Row.forget_at) <= now))
    return AccessForgotten(
        requests=cast(CursorResult[Any], requests).rowcount, reads=cast(CursorResult[Any], reads).rowcount
    )
