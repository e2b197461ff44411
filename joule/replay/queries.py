"""What pages and commands may see of what-ifs: counts, ids and closed words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, TaskId
from joule.replay._what_ifs import DONE, progress
from joule.replay.judging import Change, Word, change_of
from joule.replay.tables import WhatIfRow


@dataclass(frozen=True, kw_only=True)
class Example:
    """One decision that would be another: in which task, in which row, by which policies."""

    task: TaskId
    seq: int
    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Line:
    """Decisions about one action that were the same and would become the same."""

    action: str
    then: Word
    now: Word
    change: Change
    times: int
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WhatIfView:
    """One what-if: what was asked, how far it has come, and what it has found, the changed first."""

    what_if: UUID
    version: UUID | None
    number: int
    bundle: str
    since: datetime
    until: datetime
    asked_at: datetime
    asked_by: UUID | None
    ended_at: datetime | None
    expires_at: datetime
    done: bool
    percent: int
    decisions: int
    lines: tuple[Line, ...]

    def count(self, change: Change) -> int:
        """How many decisions would become this."""
        return sum(each.times for each in self.lines if each.change is change)

    @property
    def changed(self) -> tuple[Line, ...]:
        """The lines that would not stay as they were."""
        return tuple(each for each in self.lines if each.change is not Change.UNCHANGED)


async def what_if(session: ReadSession, org: OrgId, what_if: UUID) -> WhatIfView:
    """One by its id. Raises `NotFound`."""
    row = await session.get(WhatIfRow, (org, what_if))
    if row is None:
        raise NotFound("what-if")
    return _view(row)


async def what_ifs(session: ReadSession, org: OrgId, *, limit: int = 10) -> list[WhatIfView]:
    """The newest, newest first."""
    wanted = select(WhatIfRow).where(col(WhatIfRow.org_id) == org).order_by(col(WhatIfRow.asked_at).desc())
    return [_view(row) for row in (await session.execute(wanted.limit(limit))).scalars()]


async def is_any_due(session: ReadSession, org: OrgId, *, now: datetime) -> bool:
    """Whether a report is past its time."""
    due = select(col(WhatIfRow.id)).where(col(WhatIfRow.org_id) == org, col(WhatIfRow.expires_at) <= now).limit(1)
    return (await session.execute(due)).first() is not None


def _view(row: WhatIfRow) -> WhatIfView:
    how_far = progress(row)
    lines = sorted(_lines(row), key=lambda each: (each.change is Change.UNCHANGED, -each.times, each.action))
    return WhatIfView(
        what_if=row.id,
        version=row.version,
        number=row.number,
        bundle=row.bundle,
        since=row.since,
        until=row.until,
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        ended_at=row.ended_at,
        expires_at=row.expires_at,
        done=row.state == DONE,
        percent=how_far.percent,
        decisions=row.decisions,
        lines=tuple(lines),
    )


def _lines(row: WhatIfRow) -> Iterable[Line]:
    for action, found in row.found.items():
        for words, said in found.items():
            then, now = (Word(each) for each in words.split(">"))
            examples = tuple(
                Example(task=TaskId(UUID(each["task"])), seq=each["seq"], policies=tuple(each["policies"]))
                for each in said["examples"]
            )
            change = change_of(then, now)
            yield Line(action=action, then=then, now=now, change=change, times=said["times"], examples=examples)
