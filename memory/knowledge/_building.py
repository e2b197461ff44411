"""Makes the index of one version: pieces out of what was read, masked and labelled, kept in batches nobody sees yet.

What a build has kept already is left alone, so a build that was broken off goes on where it was.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import DecisionId, OrgId, ProjectId, new_id
from joule.vault.keys import Keyring
from memory.detecting import categories
from memory.knowledge import _sealed
from memory.knowledge.blinding import blinded
from memory.knowledge.embedding.base import Vector
from memory.knowledge.reading.chunking import Piece, pieces
from memory.knowledge.reading.model import Mark, Parsed
from memory.knowledge.tables import ChunkRow, ChunkVectorRow, ChunkWordsRow
from memory.masking import Screen

LABEL_COLUMNS = (
    "author",
    "via",
    "source_task",
    "integrity",
    "training",
    "readers",
    "categories",
    "purposes",
    "sources",
)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is kept of a document: its text as it may be kept, the pieces it is found by, and what is in each."""

    parsed: Parsed
    pieces: tuple[Piece, ...]
    found: tuple[frozenset[str], ...]  # data categories, piece by piece
    categories: frozenset[str]
    has_cards: bool


@dataclass(frozen=True, kw_only=True)
class Build:
    """The index being made: of which version, on whose decision, and what its label says in columns."""

    org: OrgId
    project: ProjectId
    document: UUID
    version: int
    build: UUID
    decision: DecisionId
    label: dict[str, Any]


def prepared(parsed: Parsed, screen: Screen) -> Prepared:
    """Pure; takes as long as the text is.

    Text that a person looking at the document does not see is kept where pages show it, marked, and never found.
    """
    seen = screen.seen(parsed.text)
    kept = parsed if seen.text == parsed.text else _covered(parsed, seen.text, screen)
    shown = tuple(
        replace(piece, ordinal=ordinal)
        for ordinal, piece in enumerate(each for each in pieces(kept) if Mark.HIDDEN not in each.marks)
    )
    starts = [finding.start for finding in seen.findings]
    found = tuple(
        categories(seen.findings[bisect_left(starts, piece.start) : bisect_left(starts, piece.end)]) for piece in shown
    )
    return Prepared(parsed=kept, pieces=shown, found=found, categories=seen.categories, has_cards=seen.has_cards)


async def missing(session: WriteSession, keyring: Keyring, build: Build, whole: Prepared) -> tuple[int, ...]:
    """The places of the pieces that are still to be kept; what the build kept of another text is taken away."""
    rows = await session.execute(
        select(col(ChunkRow.id), col(ChunkRow.ordinal), col(ChunkRow.text_key)).where(*_of(build))
    )
    kept: set[int] = set()
    wrong: list[UUID] = []
    for chunk, ordinal, key in rows:
        if ordinal < len(whole.pieces) and key == _key(keyring, build, whole.pieces[ordinal]):
            kept.add(ordinal)
        else:
            wrong.append(chunk)
    if wrong:
        await session.execute(delete(ChunkRow).where(col(ChunkRow.org_id) == build.org, col(ChunkRow.id).in_(wrong)))
    return tuple(place for place in range(len(whole.pieces)) if place not in kept)


async def keep(
    session: WriteSession,
    keyring: Keyring,
    build: Build,
    whole: Prepared,
    places: Sequence[int],
    *,
    model: str | None,
    vectors: Sequence[Vector],
) -> None:
    """Keep these pieces with their words and, if there is a model, their vectors: none of it is searched yet."""
    words = await blinded(session, keyring, [spoken(whole.pieces[place]) for place in places])
    ids = [new_id() for _ in places]
    rows = await asyncio.to_thread(_rows, keyring, build, whole, places, ids)
    where = {"org_id": build.org, "project_id": build.project, "decision_id": build.decision}
    await session.execute(insert(ChunkRow), rows)
    await session.execute(
        insert(ChunkWordsRow),
        [{**where, "chunk_id": chunk, "words": literal} for chunk, literal in zip(ids, words, strict=True)],
    )
    if model is not None and vectors:
        each = {**where, "model": model, "large": False, "live": False}
        await session.execute(
            insert(ChunkVectorRow),
            [{**each, "chunk_id": chunk, "vector": vector} for chunk, vector in zip(ids, vectors, strict=True)],
        )


async def kept_of(session: WriteSession, build: Build, model: str | None) -> tuple[int, int]:
    """How many pieces the build has, and how many vectors of `model`."""
    chunks = await session.scalar(select(func.count()).select_from(ChunkRow).where(*_of(build)))
    if model is None:
        return chunks or 0, 0
    mine = select(col(ChunkRow.id)).where(*_of(build))
    vectors = await session.scalar(
        select(func.count())
        .select_from(ChunkVectorRow)
        .where(
            col(ChunkVectorRow.org_id) == build.org,
            col(ChunkVectorRow.model) == model,
            col(ChunkVectorRow.chunk_id).in_(mine),
        )
    )
    return chunks or 0, vectors or 0


def _covered(parsed: Parsed, text: str, screen: Screen) -> Parsed:
    """The same document with its text covered where it must be, headings too. Nothing moves."""
    known: dict[str, str] = {}
    for part in parsed.parts:
        for heading in part.heading:
            if heading not in known:
                known[heading] = screen.seen(heading).text
    return Parsed(
        parts=tuple(
            replace(
                part,
                text=text[part.start : part.end],
                heading=tuple(known[heading] for heading in part.heading),
            )
            for part in parsed.parts
        ),
        pages=parsed.pages,
        title=parsed.title,
        warnings=parsed.warnings,
    )


def _rows(
    keyring: Keyring, build: Build, whole: Prepared, places: Sequence[int], ids: Sequence[UUID]
) -> list[dict[str, Any]]:
    rows = []
    for chunk, place in zip(ids, places, strict=True):
        piece = whole.pieces[place]
        text, heading = _sealed.sealed_piece(keyring, piece.text, piece.heading, chunk=chunk)
        rows.append(
            {
                **build.label,
                "categories": sorted({*build.label["categories"], *whole.found[place]}),
                "org_id": build.org,
                "id": chunk,
                "project_id": build.project,
                "document_id": build.document,
                "version": build.version,
                "build": build.build,
                "ordinal": piece.ordinal,
                "page": piece.page,
                "heading": heading,
                "text": text,
                "generation": 0,
                "text_key": _key(keyring, build, piece),
                "start_at": piece.start,
                "end_at": piece.end,
                "marks": sorted(piece.marks),
                "live": False,
                "decision_id": build.decision,
            }
        )
    return rows


def spoken(piece: Piece) -> str:
    """What a piece is found by: the headings above it, and its own words."""
    return f"{' '.join(piece.heading)}\n{piece.text}".strip()


def _key(keyring: Keyring, build: Build, piece: Piece) -> bytes:
    return keyring.commitment("chunk.text", build.document.bytes, bytes.fromhex(piece.sha256))


def _of(build: Build) -> tuple[Any, ...]:
    return (
        col(ChunkRow.org_id) == build.org,
        col(ChunkRow.document_id) == build.document,
        col(ChunkRow.build) == build.build,
    )
