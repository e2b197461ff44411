"""The rows of what-ifs, for this room alone."""

from copy import deepcopy
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.governance.policy import Policy
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, new_id
from joule.kernel.permit import Permit
from joule.replay import _spans
from joule.replay._spans import Tally
from joule.replay.actions import BeginWhatIf
from joule.replay.results import WhatIfProgress
from joule.replay.tables import WhatIfRow

KEPT = timedelta(days=90)
RUNNING, DONE = "running", "done"


async def begin(
    session: WriteSession, permit: Permit, action: BeginWhatIf, policy: Policy, number: int, *, at: datetime
) -> WhatIfProgress:
    """A new question over the days up to `at`."""
    since = at - timedelta(days=action.days)
    row = WhatIfRow(
        org_id=action.principal.org,
        id=new_id(),
        state=RUNNING,
        version=action.version,
        number=number,
        bundle=policy.digest,
        since=since,
        until=at,
        reached=since,
        decisions=0,
        found={},
        asked_at=at,
        asked_by=action.principal.person,
        expires_at=at + KEPT,
        decision_id=permit.decision,
    )
    session.add(row)
    await session.flush()
    return progress(row)


async def locked(session: WriteSession, org: OrgId, what_if: UUID) -> WhatIfRow:
    """The row, which nobody else goes on with until the transaction ends. Raises `NotFound`."""
    wanted = select(WhatIfRow).where(col(WhatIfRow.org_id) == org, col(WhatIfRow.id) == what_if).with_for_update()
    row = (await session.execute(wanted)).scalar_one_or_none()
    if row is None:
        raise NotFound("what-if")
    return row


async def go_on(
    session: WriteSession, permit: Permit, row: WhatIfRow, policy: Policy, number: int, *, at: datetime
) -> WhatIfProgress:
    """Judge the next piece."""
    if row.state == DONE:
        return progress(row)
    if row.bundle != policy.digest:  # a draft that was saved over, or another release: counts would be of two kinds
        row.bundle, row.number, row.reached, row.decisions, row.found = policy.digest, number, row.since, 0, {}
    tally = Tally(decisions=row.decisions, found=deepcopy(row.found))
    row.reached = await _spans.piece(session, OrgId(row.org_id), tally, policy, start=row.reached, until=row.until)
    row.decisions, row.found, row.decision_id = tally.decisions, tally.found, permit.decision
    if row.reached >= row.until:
        row.state, row.ended_at = DONE, at
    await session.flush()
    return progress(row)


async def forget(session: AsyncSession, org: OrgId, *, before: datetime) -> int:
    """Delete what ended before; how many."""
    gone = delete(WhatIfRow).where(col(WhatIfRow.org_id) == org, col(WhatIfRow.expires_at) <= before)
    result = await session.execute(gone.returning(col(WhatIfRow.id)))
    return len(result.all())


def progress(row: WhatIfRow) -> WhatIfProgress:
    """How far it has come."""
    span = (row.until - row.since).total_seconds() or 1.0
    done = row.state == DONE
    percent = 100 if done else min(99, int((row.reached - row.since).total_seconds() / span * 100))
    return WhatIfProgress(what_if=row.id, done=done, percent=percent, decisions=row.decisions, reached=row.reached)
