"""Ends artifacts: at their date, with their project, or when somebody says so; and has the store forget their bytes.

Bytes go in two steps. What nothing has any more is `doomed` and committed, after which nothing can take it up again;
the next round has the store forget it, and only then does the row go. A round that breaks off is simply run again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, ProjectId
from sandbox import _labels
from sandbox.artifacts.shelf import lock_account
from sandbox.artifacts.store import Store
from sandbox.tables import ArtifactBlobRow, ArtifactRow

AT_ONCE = 200  # rows of each kind in one round
STAGED_FOR = timedelta(hours=1)  # longer than any run: what is staged then was broken off
REMEMBERED_FOR = timedelta(days=90)  # that an artifact was there, after it is gone

KnownProject = Callable[[AsyncSession, OrgId, ProjectId], Awaitable[bool]]


async def found(session: WriteSession, org: OrgId, artifact: UUID, reader: PersonId | None) -> ArtifactRow:
    """The artifact, locked, whether or not it is gone. Raises `NotFound`."""
    row: ArtifactRow | None = await session.scalar(
        select(ArtifactRow).where(col(ArtifactRow.org_id) == org, col(ArtifactRow.id) == artifact).with_for_update()
    )
    if row is None or not _labels.may_read(row, reader):
        raise NotFound("artifact")
    return row


async def present(
    session: WriteSession, org: OrgId, artifact: UUID, reader: PersonId | None, *, now: datetime
) -> ArtifactRow:
    """The artifact, locked, if it is there and its date has not come. Raises `NotFound`."""
    row = await found(session, org, artifact, reader)
    if row.gone_at is not None or (row.expires_at <= now and not row.pinned):
        raise NotFound("artifact")
    return row


async def end(session: WriteSession, row: ArtifactRow, *, cause: str, at: datetime, decision: DecisionId) -> None:
    """Nobody can open it any more; that it was there stays."""
    if row.gone_at is None:
        row.gone_at, row.cause, row.decision_id = at, cause, decision
        row.name, row.blob_id, row.pinned = None, None, False
        await session.flush()


async def end_due(session: WriteSession, org: OrgId, *, now: datetime, decision: DecisionId) -> int:
    """End artifacts whose date has come. How many, at most `AT_ONCE`."""
    due = (col(ArtifactRow.expires_at) <= now, col(ArtifactRow.pinned).is_(False))
    return await _end_all(session, org, *due, cause="expired", now=now, decision=decision)


async def end_with_projects(
    session: WriteSession, org: OrgId, known: KnownProject, *, now: datetime, decision: DecisionId
) -> int:
    """End artifacts of projects that are gone, pinned or not."""
    projects = await session.scalars(
        select(col(ArtifactRow.project_id))
        .where(col(ArtifactRow.org_id) == org, col(ArtifactRow.gone_at).is_(None))
        .distinct()
    )
    gone = [each for each in projects if not await known(session, org, ProjectId(each))]
    if not gone:
        return 0
    theirs = col(ArtifactRow.project_id).in_(gone)
    return await _end_all(session, org, theirs, cause="project", now=now, decision=decision)


async def _end_all(
    session: WriteSession, org: OrgId, *which: ColumnElement[bool], cause: str, now: datetime, decision: DecisionId
) -> int:
    rows = list(
        await session.scalars(
            select(ArtifactRow)
            .where(col(ArtifactRow.org_id) == org, col(ArtifactRow.gone_at).is_(None), *which)
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
    )
    for row in rows:
        await end(session, row, cause=cause, at=now, decision=decision)
    return len(rows)


async def forget_bytes(session: WriteSession, org: OrgId, store: Store, *, now: datetime, decision: DecisionId) -> int:
    """Doom what nothing has, and have the store forget what was doomed in an earlier transaction. How many were forgotten."""
    await lock_account(session, org)
    doomed = list(
        await session.scalars(
            select(col(ArtifactBlobRow.id))
            .where(col(ArtifactBlobRow.org_id) == org, col(ArtifactBlobRow.state) == "doomed")
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
    )
    for blob in doomed:
        await asyncio.to_thread(store.delete, org, blob)
    if doomed:
        await session.execute(
            delete(ArtifactBlobRow).where(col(ArtifactBlobRow.org_id) == org, col(ArtifactBlobRow.id).in_(doomed))
        )
    had = select(col(ArtifactRow.blob_id)).where(
        col(ArtifactRow.org_id) == org, col(ArtifactRow.blob_id) == col(ArtifactBlobRow.id)
    )
    left = (col(ArtifactBlobRow.state) == "kept") & ~had.exists()
    broken_off = (col(ArtifactBlobRow.state) == "staged") & (col(ArtifactBlobRow.changed_at) < now - STAGED_FOR)
    await session.execute(
        update(ArtifactBlobRow)
        .where(col(ArtifactBlobRow.org_id) == org, left | broken_off)
        .values(state="doomed", changed_at=now, decision_id=decision)
    )
    return len(doomed)


async def forget_traces(session: WriteSession, org: OrgId, *, now: datetime) -> None:
    """Forget that artifacts were there, a good while after they are gone."""
    await session.execute(
        delete(ArtifactRow).where(col(ArtifactRow.org_id) == org, col(ArtifactRow.gone_at) < now - REMEMBERED_FOR)
    )
