"""Finds the passages of a project that fit a question: by words, by meaning, fused.

No caller sees how many rows it took: fewer than `limit` come back only when there are fewer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.ids import PersonId, ProjectId
from joule.kernel.label import Integrity, Label
from joule.kernel.principal import Principal
from joule.vault.keys import Keyring
from memory.knowledge.embedding.base import Embedder, Vector


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
    """`complete`: False when the search stopped at a limit before it had looked at everything that could fit."""

    hits: tuple[Hit, ...]
    how: How
    complete: bool


async def asked(text: str, *, embedder: Embedder | None, principal: Principal, label: Label) -> Question:
    """The question, embedded when there is a model and it answers. Call it before the transaction is begun."""
    raise NotImplementedError


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
    raise NotImplementedError
