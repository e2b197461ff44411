"""Legal holds: what may not be erased for now, whoever asks and whatever is due.

A hold is on the organisation, on one person (their tasks and what they did by hand) or on one task. Whoever erases locks
first (`may_end`), and whoever places a hold waits for them: once a hold stands nothing in its scope ends any more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, new_id
from joule.vault.keys import Keyring
from traces.ending.errors import OnHold
from traces.ending.tables import HoldRow

REASON = "hold.reason"

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('joule.hold:' || :org, 0))")
_SHARE = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('joule.hold:' || :org, 0))")


class Scope(StrEnum):
    """What a hold is on."""

    TASK = "task"
    PERSON = "person"
    ORGANISATION = "organisation"


_WHOSE = {Scope.ORGANISATION: "the organisation", Scope.PERSON: "a person", Scope.TASK: "a task"}


@dataclass(frozen=True, kw_only=True)
class Hold:
    """One hold. `subject` is the person or task; None for the organisation."""

    id: UUID
    scope: Scope
    subject: UUID | None
    placed_by: PersonId | None
    placed_at: datetime
    lifted_by: PersonId | None = None
    lifted_at: datetime | None = None


async def standing(session: AsyncSession, org: OrgId) -> Sequence[Hold]:
    """The holds that are not lifted, oldest first."""
    rows = await session.scalars(_live(org))
    return [_told(row) for row in rows]


async def all_of(session: AsyncSession, keyring: Keyring, org: OrgId) -> Sequence[tuple[Hold, str]]:
    """Every hold there ever was with its reason, newest first."""
    rows = await session.scalars(select(HoldRow).where(col(HoldRow.org_id) == org).order_by(col(HoldRow.id).desc()))
    return [(_told(row), keyring.open_text(row.reason, row=row.id, field=REASON)) for row in rows]


def on(
    holds: Collection[Hold], *, persons: Collection[UUID] = (), tasks: Collection[UUID] = (), whole: bool = False
) -> Hold | None:
    """The first of `holds` that is on any of these. `whole`: all of the organisation is meant, so every hold is."""
    named = {Scope.PERSON: persons, Scope.TASK: tasks}
    for hold in holds:
        if whole or hold.scope is Scope.ORGANISATION or hold.subject in named[hold.scope]:
            return hold
    return None


async def may_end(
    session: WriteSession,
    org: OrgId,
    *,
    persons: Collection[UUID] = (),
    tasks: Collection[UUID] = (),
    whole: bool = False,
) -> None:
    """Raise `OnHold` when any of these is; else no hold is placed on them before the transaction ends."""
    await share(session, org)
    hold = on(await standing(session, org), persons=persons, tasks=tasks, whole=whole)
    if hold is not None:
        raise OnHold(_WHOSE[hold.scope], since=hold.placed_at)


async def may_delete(session: WriteSession, org: OrgId, by: PersonId | None) -> None:
    """Raise `OnHold` when nobody may delete anything in the organisation, or this person may not.

    For whatever people delete by hand, wherever it is kept: who deletes part of a conversation or a person asks `may_end`.
    """
    await may_end(session, org, persons=() if by is None else (by,))


async def share(session: WriteSession, org: OrgId) -> None:
    """Have whoever places a hold wait until this transaction ends, having waited for them."""
    await session.execute(_SHARE, {"org": str(org)})


async def place(
    session: WriteSession,
    keyring: Keyring,
    org: OrgId,
    *,
    scope: Scope,
    subject: UUID | None,
    reason: str,
    by: PersonId | None,
    at: datetime,
    decision: DecisionId,
) -> Hold:
    """Place a hold, having waited for whoever is erasing. Raises `Invalid` when the same is on hold already."""
    await session.execute(_LOCK, {"org": str(org)})
    if any(each.scope is scope and each.subject == subject for each in await standing(session, org)):
        raise Invalid("this is on hold already", advice="Lift that hold first if its reason is to change.")
    row = HoldRow(
        org_id=org,
        id=new_id(),
        scope=scope.value,
        subject_id=subject,
        reason=b"",
        placed_by=by,
        placed_at=at,
        decision_id=decision,
    )
    row.reason = keyring.seal_text(reason, row=row.id, field=REASON)
    session.add(row)
    await session.flush()
    return _told(row)


async def lift(
    session: WriteSession, org: OrgId, hold: UUID, *, by: PersonId | None, at: datetime, decision: DecisionId
) -> Hold:
    """Lift a hold; one that is lifted already stays so. Raises `NotFound`."""
    await session.execute(_LOCK, {"org": str(org)})
    row = await session.get(HoldRow, (org, hold), with_for_update=True)
    if row is None:
        raise NotFound("hold")
    if row.lifted_at is None:
        row.lifted_by, row.lifted_at, row.lifted_decision = by, at, decision
        await session.flush()
    return _told(row)


def _live(org: OrgId) -> Select[tuple[HoldRow]]:
    return (
        select(HoldRow)
        .where(col(HoldRow.org_id) == org, col(HoldRow.lifted_at).is_(None))
        .order_by(col(HoldRow.id))
        .execution_options(populate_existing=True)
    )


def _told(row: HoldRow) -> Hold:
    return Hold(
        id=row.id,
        scope=Scope(row.scope),
        subject=row.subject_id,
        placed_by=None if row.placed_by is None else PersonId(row.placed_by),
        placed_at=row.placed_at,
        lifted_by=None if row.lifted_by is None else PersonId(row.lifted_by),
        lifted_at=row.lifted_at,
    )
