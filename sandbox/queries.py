"""What people may see of sandboxes and artifacts: lists and contents, never rows. A reader sees what its label lets them."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, ProjectId, TaskId, ThreadId
from joule.kernel.label import Label
from joule.vault.keys import Keyring
from sandbox import _labels
from sandbox.artifacts.ending import REMEMBERED_FOR, STAGED_FOR, KnownProject
from sandbox.artifacts.shelf import name_of
from sandbox.artifacts.store import Store, opened
from sandbox.tables import ArtifactBlobRow, ArtifactRow, SandboxSessionRow

MOST = 500


@dataclass(frozen=True, kw_only=True)
class ArtifactView:
    """An artifact, or what is left of one that is gone: then it has no name, and `cause` says why."""

    artifact: UUID
    project: ProjectId
    thread: ThreadId
    task: TaskId
    name: str | None
    size: int  # bytes
    media_type: str
    pinned: bool
    created_at: datetime
    expires_at: datetime
    gone_at: datetime | None
    cause: str | None
    label: Label


@dataclass(frozen=True, kw_only=True)
class ArtifactContent:
    """The bytes of an artifact. Send them as an attachment: code of nobody we trust wrote them."""

    view: ArtifactView
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SessionView:
    """A sandbox session: its lifecycle, and nothing of what was in it."""

    session: UUID
    project: ProjectId
    thread: ThreadId
    backend: str
    boundary: str
    state: str
    cause: str | None
    runs: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


async def list_artifacts(
    session: ReadSession,
    keyring: Keyring,
    *,
    reader: PersonId | None,
    now: datetime,
    project: ProjectId | None = None,
    thread: ThreadId | None = None,
    task: TaskId | None = None,
    gone: bool = False,
) -> tuple[ArtifactView, ...]:
    """Newest first, at most `MOST`: of a project, a thread or a task; with `gone` also those that have ended."""
    query = select(ArtifactRow).where(col(ArtifactRow.org_id) == keyring.org)
    for column, wanted in (
        (ArtifactRow.project_id, project),
        (ArtifactRow.thread_id, thread),
        (ArtifactRow.source_task, task),
    ):
        if wanted is not None:
            query = query.where(col(column) == wanted)
    if not gone:
        query = query.where(
            col(ArtifactRow.gone_at).is_(None), (col(ArtifactRow.expires_at) > now) | col(ArtifactRow.pinned)
        )
    rows = await session.scalars(query.order_by(col(ArtifactRow.id).desc()).limit(MOST))
    return tuple(_view(row, keyring, now) for row in rows if _labels.may_read(row, reader))


async def artifact(
    session: ReadSession, keyring: Keyring, artifact: UUID, *, reader: PersonId | None, now: datetime
) -> ArtifactView:
    """One artifact, gone or not. Raises `NotFound`."""
    row = await session.get(ArtifactRow, (keyring.org, artifact))
    if row is None or not _labels.may_read(row, reader):
        raise NotFound("artifact")
    return _view(row, keyring, now)


async def content_of(
    session: ReadSession, keyring: Keyring, store: Store, artifact: UUID, *, reader: PersonId | None, now: datetime
) -> ArtifactContent:
    """The bytes, as long as it is there. Raises `NotFound`, `StoreAway`, `Corrupt`."""
    row = await session.get(ArtifactRow, (keyring.org, artifact))
    if row is None or row.blob_id is None or not _labels.may_read(row, reader):
        raise NotFound("artifact")
    view = _view(row, keyring, now)
    if view.name is None:
        raise NotFound("artifact")
    stored = await asyncio.to_thread(store.get, OrgId(row.org_id), row.blob_id)
    content = await asyncio.to_thread(opened, keyring, row.blob_id, stored)
    return ArtifactContent(view=view, name=view.name, content=content)


async def used_bytes(session: AsyncSession, org: OrgId) -> int:
    """How much an organisation's artifacts take just now, pinned or not."""
    there = (col(ArtifactRow.org_id) == org, col(ArtifactRow.gone_at).is_(None))
    return int(await session.scalar(select(func.coalesce(func.sum(col(ArtifactRow.size)), 0)).where(*there)) or 0)


async def list_sessions(
    session: ReadSession, org: OrgId, *, reader: PersonId | None, thread: ThreadId | None = None
) -> tuple[SessionView, ...]:
    """Newest first, at most `MOST`, ended ones too."""
    query = select(SandboxSessionRow).where(col(SandboxSessionRow.org_id) == org)
    if thread is not None:
        query = query.where(col(SandboxSessionRow.thread_id) == thread)
    rows = await session.scalars(query.order_by(col(SandboxSessionRow.id).desc()).limit(MOST))
    return tuple(_session(row) for row in rows if _labels.may_read(row, reader))


async def is_due(session: AsyncSession, org: OrgId, known: KnownProject, *, now: datetime) -> bool:
    """Whether a sweep of the organisation would end or remove anything now."""
    artifact, blob, warm = ArtifactRow, ArtifactBlobRow, SandboxSessionRow
    had = select(col(artifact.id)).where(col(artifact.org_id) == org, col(artifact.blob_id) == col(blob.id))
    over = col(artifact.gone_at).is_(None) & ~col(artifact.pinned) & (col(artifact.expires_at) <= now)
    broken_off = (col(blob.state) == "staged") & (col(blob.changed_at) < now - STAGED_FOR)
    for found in (
        select(col(artifact.id)).where(
            col(artifact.org_id) == org, over | (col(artifact.gone_at) < now - REMEMBERED_FOR)
        ),
        select(col(blob.id)).where(
            col(blob.org_id) == org,
            (col(blob.state) == "doomed") | broken_off | ((col(blob.state) == "kept") & ~had.exists()),
        ),
        select(col(warm.id)).where(
            col(warm.org_id) == org, (col(warm.state) == "warm") & (col(warm.expires_at) <= now)
        ),
    ):
        if await session.scalar(found.limit(1)) is not None:
            return True
    there = select(col(artifact.project_id)).where(col(artifact.org_id) == org, col(artifact.gone_at).is_(None))
    for project in await session.scalars(there.distinct()):
        if not await known(session, org, ProjectId(project)):
            return True
    return False


def _view(row: ArtifactRow, keyring: Keyring, now: datetime) -> ArtifactView:
    over = row.gone_at is None and row.expires_at <= now and not row.pinned  # the sweep is a moment behind
    is_gone = row.gone_at is not None or over
    return ArtifactView(
        artifact=row.id,
        project=ProjectId(row.project_id),
        thread=ThreadId(row.thread_id),
        task=TaskId(row.source_task),
        name=None if is_gone else name_of(row, keyring),
        size=row.size,
        media_type=row.media_type,
        pinned=row.pinned,
        created_at=row.created_at,
        expires_at=row.expires_at,
        gone_at=row.expires_at if over else row.gone_at,
        cause="expired" if over else row.cause,
        label=_labels.label_of(row),
    )


def _session(row: SandboxSessionRow) -> SessionView:
    return SessionView(
        session=row.id,
        project=ProjectId(row.project_id),
        thread=ThreadId(row.thread_id),
        backend=row.backend,
        boundary=row.boundary,
        state=row.state,
        cause=row.cause,
        runs=row.runs,
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )
