"""Finds the passages of a project that fit a question: by words, by meaning, fused by their ranks.

No caller sees how many rows it took: fewer than `limit` come back only when there are fewer. Small collections are
compared one by one, which misses nothing; only large ones go through the approximate index, and what it leaves out
for want of patience is then looked for one by one after all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.errors import Unavailable
from joule.kernel.ids import PersonId, ProjectId
from joule.kernel.label import Integrity, Label
from joule.kernel.principal import Principal
from joule.vault.keys import Keyring
from memory import _labels
from memory.knowledge import _wanted
from memory.knowledge._finding import Narrowing, candidates, survey
from memory.knowledge.blinding import blind_words
from memory.knowledge.embedding.base import Aim, Embedder, Vector
from memory.tables import LabelColumns

MAX_QUESTION = 1_000  # characters
MAX_HITS = 50


class How(StrEnum):
    """How a search was made."""

    HYBRID = "hybrid"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked. Without a vector it is searched by its words alone."""

    text: str
    model: str | None = None
    vector: Vector | None = None


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One chunk that fits, best first. `text` and `heading` are opened; `start` and `end` count in the whole text."""

    document: UUID
    version: int
    chunk: UUID
    ordinal: int
    page: int | None
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    marks: frozenset[str]
    score: float
    label: Label


@dataclass(frozen=True, kw_only=True)
class Found:
    """`complete`: False when it went by words alone, and one was too common to look at all passages that hold it."""

    hits: tuple[Hit, ...]
    how: How
    complete: bool


async def asked(text: str, *, embedder: Embedder | None, principal: Principal, label: Label) -> Question:
    """The question, embedded when there is a model and it answers. Call it before the transaction is begun."""
    question = text[:MAX_QUESTION].strip()
    if embedder is None or not question:
        return Question(text=question)
    try:
        (vector,) = await embedder.embed([question], purpose=Aim.QUERY, principal=principal, label=label)
    except Unavailable:  # words still find a good deal, and `Found.how` says that they were all there was
        return Question(text=question)
    return Question(text=question, model=embedder.model, vector=vector)


async def search(
    session: AsyncSession,
    keyring: Keyring,
    project: ProjectId,
    reader: PersonId | None,
    question: Question,
    *,
    limit: int = 8,
    documents: Sequence[UUID] = (),
    minimum_integrity: Integrity | None = None,
) -> Found:
    """The live chunks of `project` that fit and that `reader` may read; of `documents` alone, if any are named."""
    words = await blind_words(session, keyring, question.text)
    known = await survey(session, project, words=words[: _wanted.MOST_WORDS], model=question.model)
    wanted = _wanted.chosen(known.counts, known.chunks)
    narrowing = Narrowing(
        project=project,
        reader=reader,
        documents=tuple(documents),
        integrity=minimum_integrity,
        vector=question.vector if known.by_meaning else None,
        model=question.model,
        exact=not known.is_large,
    )
    rows = await candidates(session, keyring.org, narrowing, wanted, limit=max(1, min(limit, MAX_HITS)))
    return Found(
        hits=tuple(_hit(keyring, row) for row in rows),
        how=How.TEXT if narrowing.vector is None else How.HYBRID,
        complete=narrowing.vector is not None or wanted.complete,
    )


def _hit(keyring: Keyring, row: Any) -> Hit:
    heading = keyring.open_text(row.heading, row=row.id, field="chunk.heading", generation=row.generation)
    return Hit(
        document=row.document_id,
        version=row.version,
        chunk=row.id,
        ordinal=row.ordinal,
        page=row.page,
        heading=tuple(json.loads(heading)),
        text=keyring.open_text(row.text, row=row.id, field="chunk.text", generation=row.generation),
        start=row.start_at,
        end=row.end_at,
        marks=frozenset(row.marks),
        score=row.score,
        label=_labels.label_of(cast(LabelColumns, row)),
    )
