"""Fills the knowledge base with the passages of a crowd of organisations, quickly: over the owner's head, in bulk.

Vectors are drawn as those of real texts lie: in clusters, and in far fewer directions than they have numbers. Words
are drawn as people use them: a few very often, most hardly ever. Everything is sealed and hashed as the product does.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from joule.bench._library import Library
from joule.kernel.ids import OrgId, ProjectId, new_id
from joule.vault.keys import Keyring
from memory.knowledge.blinding import hashed
from memory.knowledge.embedding.base import DIMENSIONS

MODEL = "drawn@1"
WORDS = 5_000  # there are, of which an organisation knows as many as it has room for
_IN_A_PASSAGE = 30
_TOPICS, _DIRECTIONS = 200, 32
_BATCH = 10_000

Matrix = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """One organisation with its only project, and its vectors for comparing one by one."""

    library: Library
    project: ProjectId
    chunks: tuple[UUID, ...]
    vectors: Matrix  # as they are stored: at half precision

    @property
    def size(self) -> int:
        return len(self.chunks)

    def nearest(self, vector: NDArray[np.float32], count: int) -> set[UUID]:
        """The ids of the nearest, found one by one."""
        order = np.argsort(-(self.vectors @ vector))[:count]
        return {self.chunks[at] for at in order}


class Lots:
    """Draws vectors and words; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._topics = self._rng.normal(size=(_TOPICS, _DIRECTIONS))
        self._spread = self._rng.normal(size=(_DIRECTIONS, DIMENSIONS))

    def vectors(self, count: int) -> Matrix:
        """Directions around `_TOPICS` centres, at length 1."""
        near = self._topics[self._rng.integers(_TOPICS, size=count)]
        drawn = (near + 0.7 * self._rng.normal(size=near.shape)) @ self._spread
        drawn += 0.5 * self._rng.normal(size=drawn.shape)
        at_length_one: Matrix = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        return at_length_one

    def words(self, count: int, *, known: int) -> NDArray[np.int64]:
        """`count` rows of word numbers below `known`; the nth is used about 1/n as often as the first."""
        often = 1 / (np.arange(known) + 5.0)
        return self._rng.choice(known, size=(count, _IN_A_PASSAGE), p=often / often.sum())

    def question(self, *, known: int) -> str:
        """Four words, common and rare ones as they come."""
        return " ".join(word(int(each)) for each in self.words(1, known=known)[0][:4])


def word(number: int) -> str:
    """A word that is its own stem."""
    return f"w{number}x"


def known_words(size: int) -> int:
    """How many words an organisation with `size` passages knows."""
    return min(WORDS, 100 + size)


async def settle(library: Library, owner: psycopg.Connection[Any], lots: Lots, *, size: int, large: bool) -> Tenant:
    """A new organisation with `size` passages. `owner` is a superuser: row-level security forbids COPY to others."""
    project = await library.project()
    async with library.database.read(library.org) as session:
        keyring = await library.vault.keyring(session, library.org)
    document, _ = await library.shelve(project, [])
    chunks, kept = [], []
    for first in range(0, size, _BATCH):
        count = min(_BATCH, size - first)
        ids = [new_id() for _ in range(count)]
        vectors = lots.vectors(count).astype(np.float16)
        _copy_chunks(owner, keyring, project, document, ids, first)
        _copy_words(owner, keyring, project, ids, lots.words(count, known=known_words(size)))
        copy_vectors(owner, "chunk_vector", keyring.org, project, ids, vectors, large=large)
        chunks += ids
        kept.append(vectors.astype(np.float32))
    return Tenant(library=library, project=project, chunks=tuple(chunks), vectors=np.concatenate(kept))


def copy_vectors(
    owner: psycopg.Connection[Any],
    table: str,
    org: OrgId,
    project: ProjectId,
    chunks: Sequence[UUID],
    vectors: NDArray[np.float16],
    *,
    large: bool,
) -> None:
    """In PostgreSQL's binary format, all rows at once."""
    columns: Mapping[str, tuple[Any, bytes | int | None]] = {
        "org_id": ("V16", org.bytes),
        "chunk_id": ("V16", None),
        "model": (f"S{len(MODEL)}", MODEL.encode()),
        "project_id": ("V16", project.bytes),
        "vector": (np.dtype([("head", ">i2", 2), ("parts", ">u2", DIMENSIONS)]), None),
        "large": ("u1", int(large)),
        "live": ("u1", 1),
        "decision_id": ("V16", UUID(int=0).bytes),
    }
    fields: list[Any] = [("count", ">i2")]
    for name, (kind, _) in columns.items():
        fields += [(f"{name}_size", ">i4"), (name, kind)]
    rows = np.zeros(len(chunks), dtype=fields)
    rows["count"] = len(columns)
    for name, (kind, value) in columns.items():
        rows[f"{name}_size"] = np.dtype(kind).itemsize
        if value is not None:
            rows[name] = np.void(value) if isinstance(value, bytes) and kind == "V16" else value
    rows["chunk_id"] = np.frombuffer(b"".join(each.bytes for each in chunks), dtype="V16")
    rows["vector"]["head"][:, 0] = DIMENSIONS
    rows["vector"]["parts"] = vectors.view(np.uint16)
    signature = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    with owner.cursor().copy(statement.encode()) as copy:
        copy.write(signature + rows.tobytes() + b"\xff\xff")


def _copy_chunks(
    owner: psycopg.Connection[Any],
    keyring: Keyring,
    project: ProjectId,
    document: UUID,
    chunks: Sequence[UUID],
    first: int,
) -> None:
    heading, build, nobody = json.dumps(["Passages"]), UUID(int=first), UUID(int=0)

    def lines() -> Iterator[str]:
        for ordinal, chunk in enumerate(chunks, first):
            said = f"passage {ordinal}"
            sealed = keyring.seal_text(said, row=chunk, field="chunk.text").hex()
            above = keyring.seal_text(heading, row=chunk, field="chunk.heading").hex()
            yield (
                f"{keyring.org}\t{chunk}\t{project}\t{document}\t1\t{build}\t{ordinal}\t\\\\x{above}\t\\\\x{sealed}\t0\t"
                f"\\\\x{'00' * 32}\t0\t{len(said)}\t{{}}\tt\t{nobody}\tsystem\t{nobody}\tuntrusted\tdenied\t"
                "{workspace.knowledge}\t{essential.service}\t{}\n"
            )

    _copy(
        owner,
        "chunk (org_id, id, project_id, document_id, version, build, ordinal, heading, text, generation, text_key,"
        " start_at, end_at, marks, live, decision_id, via, source_task, integrity, training, categories, purposes,"
        " sources)",
        lines(),
    )


def _copy_words(
    owner: psycopg.Connection[Any],
    keyring: Keyring,
    project: ProjectId,
    chunks: Sequence[UUID],
    drawn: NDArray[np.int64],
) -> None:
    hashes = {int(number): hashed(keyring, word(int(number))) for number in np.unique(drawn)}
    nobody = UUID(int=0)
    _copy(
        owner,
        "chunk_words (org_id, chunk_id, project_id, words, decision_id)",
        (
            f"{keyring.org}\t{chunk}\t{project}\t"
            f"{' '.join(f'{hashes[number]}:{at}' for at, number in enumerate(row, 1))}\t{nobody}\n"
            for chunk, row in zip(chunks, drawn.tolist(), strict=True)
        ),
    )


def _copy(owner: psycopg.Connection[Any], into: str, lines: Iterator[str]) -> None:
    whole = io.StringIO()
    whole.writelines(lines)
    with owner.cursor().copy(f"COPY {into} FROM STDIN".encode()) as copy:
        copy.write(whole.getvalue())
