"""What pages may read: a signed-in person looking at the projects of their own organisation.

Every function takes a read session and the organisation's keyring, both of the caller's organisation, and leaves out
what a label keeps from `reader`. Never reachable by the agent; changes nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import FileId, OrgId, PersonId, ProjectId
from joule.kernel.label import Label
from joule.vault.keys import Keyring
from memory import _file_reading, _labels, _projects
from memory._content import decode
from memory._files import RESTORABLE, content_of, name_of, version_of
from memory.errors import NotText
from memory.items import _recalling as _items
from memory.kinds import MediaType
from memory.results import FileHit, RecalledItem
from memory.tables import FileVersionRow, MemoryItemRow, ProjectFileRow, ProjectRow

MAX_PREVIEW = 20_000  # characters


@dataclass(frozen=True, kw_only=True)
class ProjectView:
    """A project in a list."""

    project: ProjectId
    title: str
    author: PersonId | None
    created_at: datetime
    updated_at: datetime
    files: int
    items: int


@dataclass(frozen=True, kw_only=True)
class VersionView:
    """One version of a file: who made it, by whose hand, in which task, from what."""

    version: int
    size: int  # bytes
    media_type: str
    author: PersonId | None
    via: str
    source_task: UUID
    created_at: datetime
    label: Label


@dataclass(frozen=True, kw_only=True)
class FileView:
    """A file with its versions, newest first. `restorable_until` is set for a deleted one."""

    file: FileId
    name: str
    is_text: bool
    newest: VersionView
    versions: tuple[VersionView, ...]
    deleted_at: datetime | None
    restorable_until: datetime | None


@dataclass(frozen=True, kw_only=True)
class FileContent:
    """The bytes of one version. `preview` is the beginning as text, None for a file that is no text.

    Send it as an attachment: what the bytes are was found out by looking, not by trusting whoever brought them.
    """

    file: FileId
    name: str
    version: int
    media_type: str
    content: bytes
    preview: str | None
    is_preview_cut: bool
    label: Label


@dataclass(frozen=True, kw_only=True)
class SearchView:
    """What fits in a project. `complete` is False when not everything could be looked at."""

    items: tuple[RecalledItem, ...]
    hits: tuple[FileHit, ...]
    complete: bool


async def list_projects(session: ReadSession, keyring: Keyring) -> tuple[ProjectView, ...]:
    """All projects, last changed first."""
    rows = await session.scalars(
        select(ProjectRow)
        .where(col(ProjectRow.org_id) == keyring.org)
        .order_by(col(ProjectRow.updated_at).desc(), col(ProjectRow.id).desc())
    )
    return await _views(session, keyring, list(rows))


async def project_by_id(session: ReadSession, keyring: Keyring, project: ProjectId) -> ProjectView:
    """One project. Raises `NotFound`."""
    row = await session.get(ProjectRow, (keyring.org, project))
    if row is None:
        raise NotFound("project")
    return (await _views(session, keyring, [row]))[0]


async def list_files(
    session: ReadSession,
    keyring: Keyring,
    project: ProjectId,
    *,
    reader: PersonId | None,
    now: datetime,
    deleted: bool = False,
) -> tuple[FileView, ...]:
    """The project's files by name; with `deleted` those that can be restored instead, last deleted first."""
    gone = col(ProjectFileRow.deleted_at)
    files = await session.scalars(
        select(ProjectFileRow).where(
            col(ProjectFileRow.org_id) == keyring.org,
            col(ProjectFileRow.project_id) == project,
            gone > now - RESTORABLE if deleted else gone.is_(None),
        )
    )
    found = {row.id: row for row in files}
    versions = await session.scalars(
        select(FileVersionRow)
        .where(col(FileVersionRow.org_id) == keyring.org, col(FileVersionRow.file_id).in_(found))
        .order_by(col(FileVersionRow.version).desc())
        .options(defer(FileVersionRow.content, raiseload=True))  # type: ignore[arg-type]  # SQLModel types it as bytes
    )
    by_file: dict[UUID, list[VersionView]] = defaultdict(list)
    for row in versions:
        if _labels.may_read(row, reader):
            by_file[row.file_id].append(_version(row))
    views = [_file(found[file], tuple(every), keyring) for file, every in by_file.items()]
    if deleted:
        return tuple(sorted(views, key=lambda one: (one.deleted_at, one.file), reverse=True))
    return tuple(sorted(views, key=lambda one: (one.name.casefold(), one.file)))


async def file_content(
    session: ReadSession,
    keyring: Keyring,
    project: ProjectId,
    file: FileId,
    *,
    reader: PersonId | None,
    version: int | None = None,
) -> FileContent:
    """One version (None: the newest) of a file that is not deleted, for download and preview. Raises `NotFound`."""
    row = await session.get(ProjectFileRow, (keyring.org, file))
    if row is None or row.project_id != project or row.deleted_at is not None:
        raise NotFound("file")
    kept = await version_of(session, keyring.org, file, version or row.newest)
    if kept is None or not _labels.may_read(kept, reader):
        raise NotFound("version of the file")
    content = await asyncio.to_thread(content_of, kept, keyring)
    preview = await asyncio.to_thread(_text, content) if MediaType(kept.media_type).is_text else None
    return FileContent(
        file=file,
        name=name_of(row, keyring),
        version=kept.version,
        media_type=kept.media_type,
        content=content,
        preview=preview[:MAX_PREVIEW] if preview is not None else None,
        is_preview_cut=preview is not None and len(preview) > MAX_PREVIEW,
        label=_labels.label_of(kept),
    )


async def list_items(
    session: ReadSession, keyring: Keyring, project: ProjectId, *, reader: PersonId | None, now: datetime
) -> tuple[RecalledItem, ...]:
    """All that is remembered, with who, when, from which task and sources: pinned first, then newest first."""
    return await _items.all_of(session, keyring, project, reader, now)


async def search(
    session: ReadSession, keyring: Keyring, project: ProjectId, query: str, *, reader: PersonId | None, now: datetime
) -> SearchView:
    """Remembered items and lines of files that fit, best first."""
    recalled = await _items.recall(
        session, keyring, project, reader, now, query=query, limit=_items.MAX_RECALLED, with_pinned=False
    )
    found = await _file_reading.search(session, keyring, project, reader, query)
    return SearchView(items=recalled.items, hits=found.hits, complete=found.complete)


async def _views(session: ReadSession, keyring: Keyring, rows: Sequence[ProjectRow]) -> tuple[ProjectView, ...]:
    files = await session.execute(
        select(col(ProjectFileRow.project_id), func.count())
        .where(col(ProjectFileRow.org_id) == keyring.org, col(ProjectFileRow.deleted_at).is_(None))
        .group_by(col(ProjectFileRow.project_id))
    )
    items = await session.execute(
        select(col(MemoryItemRow.project_id), func.count())
        .where(col(MemoryItemRow.org_id) == keyring.org, col(MemoryItemRow.superseded_by).is_(None))
        .group_by(col(MemoryItemRow.project_id))
    )
    file_counts, item_counts = dict(files.tuples().all()), dict(items.tuples().all())
    return tuple(
        ProjectView(
            project=ProjectId(row.id),
            title=_projects.title_of(row, keyring),
            author=None if row.author is None else PersonId(row.author),
            created_at=row.created_at,
            updated_at=row.updated_at,
            files=file_counts.get(row.id, 0),
            items=item_counts.get(row.id, 0),
        )
        for row in rows
    )


def _version(row: FileVersionRow) -> VersionView:
    return VersionView(
        version=row.version,
        size=row.size,
        media_type=row.media_type,
        author=None if row.author is None else PersonId(row.author),
        via=row.via,
        source_task=row.source_task,
        created_at=row.created_at,
        label=_labels.label_of(row),
    )


def _file(row: ProjectFileRow, versions: tuple[VersionView, ...], keyring: Keyring) -> FileView:
    return FileView(
        file=FileId(row.id),
        name=name_of(row, keyring),
        is_text=MediaType(versions[0].media_type).is_text,
        newest=versions[0],
        versions=versions,
        deleted_at=row.deleted_at,
        restorable_until=None if row.deleted_at is None else row.deleted_at + RESTORABLE,
    )


def _text(content: bytes) -> str | None:
    try:
        return decode(content)[0]
    except NotText:
        return None


async def is_project(session: AsyncSession, org: OrgId, project: ProjectId, *, stays: bool = False) -> bool:
    """Whether the organisation has this project. With `stays` (write sessions) it has it until the transaction ends."""
    try:
        await _projects.required(session, org, project, stays=stays)
    except NotFound:
        return False
    return True
