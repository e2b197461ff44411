"""What pages may read of the knowledge base: a signed-in person looking at the documents of their own organisation.

Every function takes a read session and the organisation's keyring, both of the caller's organisation, and leaves out
what a label keeps from `reader`. Never reachable by the agent; changes nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import PersonId, ProjectId
from joule.kernel.label import Label
from joule.vault.keys import Keyring
from memory import _labels
from memory.knowledge._sealed import content_of, parts_of, title_of
from memory.knowledge.reading.model import Part
from memory.knowledge.states import DocumentState, SourceKind
from memory.knowledge.tables import DocumentRow, DocumentVersionRow


@dataclass(frozen=True, kw_only=True)
class DocumentView:
    """A document in a list: what it is called, and how far its newest version is. `version`: the one searched, or 0."""

    document: UUID
    title: str
    source: SourceKind
    connection: UUID | None
    state: DocumentState
    failure: str | None
    version: int
    newest: int
    media_type: str
    size: int  # bytes
    pages: int | None
    chunks: int
    by_meaning: bool
    author: PersonId | None
    via: str
    created_at: datetime
    updated_at: datetime
    label: Label


@dataclass(frozen=True, kw_only=True)
class DocumentVersionView:
    """One version of a document."""

    version: int
    state: DocumentState
    failure: str | None
    is_searched: bool
    media_type: str
    size: int  # bytes
    pages: int | None
    chunks: int
    warnings: tuple[str, ...]
    by_meaning: bool
    author: PersonId | None
    via: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class DocumentPage:
    """A document with its versions, newest first."""

    document: DocumentView
    versions: tuple[DocumentVersionView, ...]


@dataclass(frozen=True, kw_only=True)
class WholeText:
    """All that was read from one version, in parts. Empty while it is not read."""

    version: int
    parts: tuple[Part, ...]
    pages: int | None


async def list_documents(
    session: ReadSession, keyring: Keyring, project: ProjectId, *, reader: PersonId | None, newest: int | None = None
) -> tuple[DocumentView, ...]:
    """The project's documents by title; of `newest` only so many, those that changed last."""
    every = select(DocumentRow).where(col(DocumentRow.org_id) == keyring.org, col(DocumentRow.project_id) == project)
    if newest is not None:
        every = every.order_by(col(DocumentRow.updated_at).desc()).limit(newest)
    rows = await session.scalars(every)
    readable = [row for row in rows if _labels.may_read(row, reader)]
    versions = await _newest(session, keyring, readable)
    views = [_view(row, versions[row.id], keyring) for row in readable]
    return tuple(sorted(views, key=lambda each: (each.title.casefold(), each.document)))


async def document_by_id(
    session: ReadSession, keyring: Keyring, project: ProjectId, document: UUID, *, reader: PersonId | None
) -> DocumentPage:
    """One document. Raises `NotFound`."""
    row = await _row(session, keyring, project, document, reader)
    found = await session.scalars(
        select(DocumentVersionRow)
        .options(*_heavy())
        .where(col(DocumentVersionRow.org_id) == keyring.org, col(DocumentVersionRow.document_id) == document)
        .order_by(col(DocumentVersionRow.version).desc())
    )
    versions = list(found)
    return DocumentPage(
        document=_view(row, versions[0], keyring), versions=tuple(_version(each, row.version) for each in versions)
    )


async def whole_text(
    session: ReadSession,
    keyring: Keyring,
    project: ProjectId,
    document: UUID,
    *,
    version: int,
    reader: PersonId | None,
) -> WholeText:
    """What was read from one version, in parts; none while it is not read. Raises `NotFound`."""
    await _row(session, keyring, project, document, reader)
    kept = await _kept(session, keyring, document, version, heavy=(DocumentVersionRow.content,))
    parts = await asyncio.to_thread(parts_of, kept, keyring)
    return WholeText(version=kept.version, parts=parts, pages=kept.pages)


async def original(
    session: ReadSession,
    keyring: Keyring,
    project: ProjectId,
    document: UUID,
    *,
    version: int | None,
    reader: PersonId | None,
) -> tuple[str, bytes]:
    """Title and bytes of one version (None: the newest). Raises `NotFound`, and `OriginalGone` where none were kept."""
    row = await _row(session, keyring, project, document, reader)
    kept = await _kept(
        session,
        keyring,
        document,
        version or row.newest,
        heavy=(DocumentVersionRow.text, DocumentVersionRow.outline),
    )
    return title_of(row, keyring), await asyncio.to_thread(content_of, kept, keyring)


async def _kept(
    session: AsyncSession, keyring: Keyring, document: UUID, version: int, *, heavy: Sequence[Any]
) -> DocumentVersionRow:
    row = await session.scalar(
        select(DocumentVersionRow)
        .options(*map(defer, heavy))
        .where(
            col(DocumentVersionRow.org_id) == keyring.org,
            col(DocumentVersionRow.document_id) == document,
            col(DocumentVersionRow.version) == version,
        )
    )
    if row is None:
        raise NotFound("version of the document")
    return row


async def _row(
    session: AsyncSession, keyring: Keyring, project: ProjectId, document: UUID, reader: PersonId | None
) -> DocumentRow:
    row = await session.get(DocumentRow, (keyring.org, document))
    if row is None or row.project_id != project or not _labels.may_read(row, reader):
        raise NotFound("document")
    return row


async def _newest(
    session: AsyncSession, keyring: Keyring, rows: Sequence[DocumentRow]
) -> dict[UUID, DocumentVersionRow]:
    found = await session.scalars(
        select(DocumentVersionRow)
        .options(*_heavy())
        .join(
            DocumentRow,
            (col(DocumentRow.org_id) == col(DocumentVersionRow.org_id))
            & (col(DocumentRow.id) == col(DocumentVersionRow.document_id))
            & (col(DocumentRow.newest) == col(DocumentVersionRow.version)),
        )
        .where(
            col(DocumentVersionRow.org_id) == keyring.org,
            col(DocumentVersionRow.document_id).in_([row.id for row in rows]),
        )
    )
    return {each.document_id: each for each in found}


def _heavy() -> tuple[Any, ...]:
    return (
        defer(DocumentVersionRow.content),  # type: ignore[arg-type]
        defer(DocumentVersionRow.text),  # type: ignore[arg-type]
        defer(DocumentVersionRow.outline),  # type: ignore[arg-type]
    )


def _view(row: DocumentRow, newest: DocumentVersionRow, keyring: Keyring) -> DocumentView:
    return DocumentView(
        document=row.id,
        title=title_of(row, keyring),
        source=SourceKind(row.source_kind),
        connection=row.connection_id,
        state=DocumentState(row.state),
        failure=row.failure,
        version=row.version,
        newest=row.newest,
        media_type=newest.media_type,
        size=newest.size,
        pages=newest.pages,
        chunks=newest.chunks,
        by_meaning=newest.embedding_model is not None,
        author=None if row.author is None else PersonId(row.author),
        via=row.via,
        created_at=row.created_at,
        updated_at=row.updated_at,
        label=_labels.label_of(row),
    )


def _version(row: DocumentVersionRow, searched: int) -> DocumentVersionView:
    return DocumentVersionView(
        version=row.version,
        state=DocumentState(row.state),
        failure=row.failure,
        is_searched=row.version == searched,
        media_type=row.media_type,
        size=row.size,
        pages=row.pages,
        chunks=row.chunks,
        warnings=tuple(row.warnings),
        by_meaning=row.embedding_model is not None,
        author=None if row.author is None else PersonId(row.author),
        via=row.via,
        created_at=row.created_at,
    )
