"""Puts a finished index in the place of the one before, in one transaction; or says why there is none.

Until then every search finds what was there before, and afterwards only what is there now.
"""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, text, update
from sqlmodel import col

from joule.database.engine import Database, WriteSession
from joule.kernel.errors import Fenced
from joule.vault.keys import Keyring
from memory import _labels
from memory.knowledge import _sealed
from memory.knowledge._building import Build, Prepared, kept_of
from memory.knowledge._finding import LARGE
from memory.knowledge.results import DocumentIndexed
from memory.knowledge.states import DocumentState
from memory.knowledge.tables import ChunkRow, ChunkVectorRow, DocumentRow, DocumentVersionRow

CARDS_COVERED = "card_numbers_covered"  # a warning of ours: the original was not kept
_FLAGGED_AT_ONCE = 500

# Flagged vectors enter the approximate index; a few at a time, because each costs a search of its own.
_FLAG = text(
    """
    UPDATE chunk_vector SET large = true WHERE org_id = :org AND (org_id, chunk_id, model) IN (
        SELECT org_id, chunk_id, model FROM chunk_vector
         WHERE org_id = :org AND project_id = :project AND model = :model AND live AND NOT large LIMIT :most)
    """
)


async def show(
    session: WriteSession,
    keyring: Keyring,
    build: Build,
    whole: Prepared,
    document: DocumentRow,
    version: DocumentVersionRow,
    *,
    model: str | None,
    parser: str,
    now: datetime,
) -> DocumentIndexed:
    """From the end of this transaction on, this build is what is searched."""
    chunks, vectors = await kept_of(session, build, model)
    if chunks != len(whole.pieces):
        raise Fenced  # somebody else has been at it
    mine = (col(ChunkRow.org_id) == build.org, col(ChunkRow.document_id) == build.document)
    await session.execute(delete(ChunkRow).where(*mine, col(ChunkRow.build) != build.build))
    await session.execute(update(ChunkRow).where(*mine).values(live=True, decision_id=build.decision))
    shown = select(col(ChunkRow.id)).where(*mine)
    await session.execute(
        update(ChunkVectorRow)
        .where(col(ChunkVectorRow.org_id) == build.org, col(ChunkVectorRow.chunk_id).in_(shown))
        .values(live=True, decision_id=build.decision)
    )
    version.text, version.outline = _sealed.sealed_text(keyring, whole.parsed, version)
    version.pages, version.chunks, version.parser = whole.parsed.pages, chunks, parser
    version.warnings = [warning.value for warning in whole.parsed.warnings]
    version.embedding_model = model if vectors == chunks else None
    if whole.has_cards:
        version.content = None
        version.warnings = [*version.warnings, CARDS_COVERED]
    for row in (version, document):
        row.categories = sorted({*row.categories, *whole.categories})
    version.failure = None
    document.version = build.version
    _settle(document, DocumentState.READY, None, now=now)
    version.decision_id = document.decision_id = build.decision
    await session.flush()
    return indexed(document, version)


async def fail(
    session: WriteSession, document: DocumentRow, version: DocumentVersionRow, code: str, *, now: datetime
) -> DocumentIndexed:
    """The newest version cannot be read. What was searched before stays so."""
    await session.execute(
        delete(ChunkRow).where(
            col(ChunkRow.org_id) == document.org_id,
            col(ChunkRow.document_id) == document.id,
            col(ChunkRow.live).is_(False),
        )
    )
    version.state, version.failure = DocumentState.FAILED.value, code
    if document.version == version.version:  # it could be read before, and is still found as it was then
        version.state = DocumentState.READY.value
    _settle(document, DocumentState.FAILED, code, now=now)
    await session.flush()
    return indexed(document, version)


def indexed(document: DocumentRow, version: DocumentVersionRow) -> DocumentIndexed:
    """How far the newest version is."""
    return DocumentIndexed(
        document=document.id,
        version=version.version,
        state=document.state,
        pages=version.pages,
        chunks=version.chunks,
        failure=document.failure,
        warnings=tuple(version.warnings),
        label=_labels.label_of(version),
    )


async def settle_size(database: Database, build: Build, model: str | None) -> None:
    """Have the vectors of a project that has very many of them searched through the approximate index."""
    if model is None:
        return
    async with database.read(build.org) as session:
        count = await session.scalar(
            select(func.count())
            .select_from(ChunkVectorRow)
            .where(
                col(ChunkVectorRow.org_id) == build.org,
                col(ChunkVectorRow.project_id) == build.project,
                col(ChunkVectorRow.model) == model,
                col(ChunkVectorRow.live),
            )
        )
    if (count or 0) < LARGE:
        return
    values = {"org": build.org, "project": build.project, "model": model, "most": _FLAGGED_AT_ONCE}
    while True:
        async with database.write(build.org) as session:
            flagged = cast(CursorResult[Any], await session.execute(_FLAG, values)).rowcount
        if flagged < _FLAGGED_AT_ONCE:
            return


def _settle(document: DocumentRow, state: DocumentState, failure: str | None, *, now: datetime) -> None:
    document.state, document.failure = state.value, failure
    document.build = document.lease_until = None
    document.attempts = 0
    document.updated_at = now
