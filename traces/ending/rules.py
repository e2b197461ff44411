"""How long an organisation keeps its journal: the days it chose, and the partition class they fit in.

Days are kept exactly, by destroying the keys of a day at its end; rows without content go with their partition, whose
class is the next longer one. A day is kept whole: what began on it can be read for `days` days after it, and is unreadable
from the midnight (UTC) after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import Invalid
from joule.kernel.ids import DecisionId, OrgId, PersonId
from traces.ending.tables import RetentionRow

CLASSES: Final = {"1d": 1, "7d": 7, "30d": 30, "90d": 90, "1y": 366, "7y": 2557}  # the most days of each
MOST_DAYS: Final = 2557  # seven years

_SHORTEN = text(
    "UPDATE trace_retention SET days = :days, set_by = :by, set_at = :at, decision_id = :decision"
    " WHERE org_id = :org AND days > :days"
)
_INSERT = (
    "INSERT INTO trace_retention (org_id, from_day, days, set_by, set_at, decision_id)"
    " VALUES (:org, :day, :days, :by, :at, :decision) ON CONFLICT (org_id, from_day) DO"
)
_BEGIN = text(f"{_INSERT} NOTHING")  # what is there already was shortened
_SET = text(
    f"{_INSERT} UPDATE"
    " SET days = EXCLUDED.days, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at, decision_id = EXCLUDED.decision_id"
)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('joule.retention:' || :org, 0))")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What begins on `from_day` or later can be read for `days` days after its day."""

    from_day: date
    days: int
    set_by: PersonId | None = None
    set_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All rules of an organisation, oldest first; never empty."""

    rules: Sequence[Rule]

    def on(self, day: date) -> Rule:
        """The rule of what began on `day`."""
        return [each for each in self.rules if each.from_day <= day][-1]

    def is_due(self, day: date, now: datetime) -> bool:
        """Whether what began on `day` has to be unreadable by `now`."""
        return ends_at(day, self.on(day).days) <= now


def ends_at(day: date, days: int) -> datetime:
    """The midnight from which what began on `day` cannot be read any more."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=days + 1)


def class_for(days: int) -> str:
    """The shortest class that keeps rows for `days`."""
    return next(name for name, most in CLASSES.items() if days <= most)


async def rules_of(session: AsyncSession, org: OrgId, *, default: str) -> Rules:
    """The rules of `org`; before its first choice, and without one, the class `default` for as long as that is."""
    first = Rule(from_day=date.min, days=CLASSES[default])
    rows = (
        await session.scalars(
            select(RetentionRow)
            .where(col(RetentionRow.org_id) == org)
            .order_by(col(RetentionRow.from_day))
            .execution_options(populate_existing=True)
        )
    ).all()
    return Rules(
        rules=[
            first,
            *(
                Rule(
                    from_day=row.from_day,
                    days=row.days,
                    set_by=None if row.set_by is None else PersonId(row.set_by),
                    set_at=row.set_at,
                )
                for row in rows
            ),
        ]
    )


async def class_of(session: AsyncSession, org: OrgId, *, default: str, at: datetime) -> str:
    """The class of what begins now."""
    return class_for((await rules_of(session, org, default=default)).on(at.date()).days)


async def choose(
    session: WriteSession,
    org: OrgId,
    days: int,
    *,
    default: str,
    by: PersonId | None,
    at: datetime,
    decision: DecisionId,
) -> Rule:
    """Keep for `days` from now on. Shortening holds for everything there is; lengthening for what begins tomorrow.

    Raises `Invalid` for days that cannot be chosen.
    """
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(f"{days} days cannot be chosen", advice=f"Choose 1 to {MOST_DAYS} days.")
    await session.execute(_LOCK, {"org": str(org)})
    today = at.date()
    before = (await rules_of(session, org, default=default)).on(today).days
    given: dict[str, UUID | datetime | date | int | str | None] = {
        "org": org,
        "days": days,
        "by": by,
        "at": at,
        "decision": decision,
    }
    await session.execute(_SHORTEN, given)
    if days < before:
        await session.execute(_BEGIN, {**given, "day": date.min})
    starts = today + timedelta(days=1) if days > before else today
    await session.execute(_SET, {**given, "day": starts})
    return Rule(from_day=starts, days=days, set_by=by, set_at=at)
