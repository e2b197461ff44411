"""Finds rows of documents. Every statement names the organisation, and leaves bytes behind unless they are asked for."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, ProjectId
from joule.vault.keys import Keyring
from memory import _labels
from memory.knowledge.tables import DocumentRow, DocumentVersionRow


async def locked(
    session: WriteSession, keyring: Keyring, project: ProjectId, document: UUID, reader: PersonId | None
) -> DocumentRow:
    """One document that `reader` may read, held until the transaction ends. Raises `NotFound`."""
    row = await session.scalar(
        select(DocumentRow).where(*within(keyring.org, project), col(DocumentRow.id) == document).with_for_update()
    )
    return _readable(row, reader)


async def held(session: WriteSession, keyring: Keyring, project: ProjectId, document: UUID) -> DocumentRow:
    """One document, held until the transaction ends, for whoever shows nothing of it. Raises `NotFound`."""
    row = await session.scalar(
        select(DocumentRow).where(*within(keyring.org, project), col(DocumentRow.id) == document).with_for_update()
    )
    if row is None:
        raise NotFound("document")
    return row


async def readable(
    session: AsyncSession, keyring: Keyring, project: ProjectId, document: UUID, reader: PersonId | None
) -> DocumentRow:
    """One document that `reader` may read. Raises `NotFound`."""
    row = await session.scalar(
        select(DocumentRow).where(*within(keyring.org, project), col(DocumentRow.id) == document)
    )
    return _readable(row, reader)


async def version_of(
    session: AsyncSession, org: OrgId, document: UUID, version: int, *, content: bool = False, words: bool = False
) -> DocumentVersionRow:
    """One version, without its sealed bytes unless `content`, without its sealed text unless `words`.

    Raises `NotFound`.
    """
    left = [*([] if content else [_CONTENT]), *([] if words else [_TEXT, _OUTLINE])]
    row = await session.scalar(select(DocumentVersionRow).options(*left).where(*one_version(org, document, version)))
    if row is None:
        raise NotFound("version of the document")
    return row


def within(org: OrgId, project: ProjectId) -> tuple[Any, ...]:
    """The conditions for all documents of a project."""
    return (col(DocumentRow.org_id) == org, col(DocumentRow.project_id) == project)


def one_version(org: OrgId, document: UUID, version: int) -> tuple[Any, ...]:
    """The conditions for one version."""
    return (
        col(DocumentVersionRow.org_id) == org,
        col(DocumentVersionRow.document_id) == document,
        col(DocumentVersionRow.version) == version,
    )


def newest_version() -> Any:
    """How a version is joined with the document whose newest it is."""
    return (
        (col(DocumentRow.org_id) == col(DocumentVersionRow.org_id))
        & (col(DocumentRow.id) == col(DocumentVersionRow.document_id))
        & (col(DocumentRow.newest) == col(DocumentVersionRow.version))
    )


def without_content() -> tuple[Any, ...]:
    """What is left behind where only the facts about versions are asked."""
    return (_CONTENT, _TEXT, _OUTLINE)


def tombstone(external: bytes) -> str:
    """What stands for a file of a connected account once its document was deleted: it is not synced again."""
    return f"external:{external.hex()}"


_CONTENT = defer(DocumentVersionRow.content)  # type: ignore[arg-type]
_TEXT = defer(DocumentVersionRow.text)  # type: ignore[arg-type]
_OUTLINE = defer(DocumentVersionRow.outline)  # type: ignore[arg-type]


def _readable(row: DocumentRow | None, reader: PersonId | None) -> DocumentRow:
    if row is None or not _labels.may_read(row, reader):
        raise NotFound("document")
    return row
