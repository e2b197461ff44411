"""Puts passages on the shelves of the knowledge base as its own indexing would leave them, without files to read.

For measurements and tests of searching alone: what is measured is then not how documents are read.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from joule.database.engine import Database, WriteSession
from joule.kernel.ids import OrgId, ProjectId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from memory.knowledge.blinding import blinded
from memory.knowledge.embedding.base import Aim, Embedder, Vector
from memory.knowledge.tables import (
    ChunkRow,
    ChunkVectorRow,
    ChunkWordsRow,
    DocumentRow,
    DocumentVersionRow,
)
from memory.tables import ProjectRow


@dataclass(frozen=True, kw_only=True)
class Library:
    """The shelves of one organisation. `embedder` None: its passages have no vectors."""

    database: Database
    vault: Vault
    org: OrgId
    embedder: Embedder | None = None

    @property
    def system(self) -> Principal:
        return Principal(org=self.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)

    async def project(self) -> ProjectId:
        """A new project."""
        project = new_id()
        async with self.database.write(self.org) as session:
            keyring = await self.vault.keyring(session, self.org, create=True)
            session.add(
                ProjectRow(
                    org_id=self.org,
                    id=project,
                    title=keyring.seal_text("Shelves", row=project, field="project.title"),
                    created_at=_NOW,
                    updated_at=_NOW,
                    decision_id=new_id(),
                )
            )
        return ProjectId(project)

    async def shelve(
        self,
        project: ProjectId,
        passages: Sequence[str],
        *,
        vectors: Sequence[Vector] | None = None,
        model: str = "",
        live: bool = True,
        large: bool = False,
        readers: Collection[UUID] | None = None,
        integrity: str = "untrusted",
    ) -> tuple[UUID, tuple[UUID, ...]]:
        """One document that says `passages`: its id and those of its pieces. `vectors` spare embedding them."""
        if vectors is None and self.embedder is not None:
            model = self.embedder.model
            vectors = await self.embedder.embed(passages, purpose=Aim.PASSAGE, principal=self.system, label=Label())
        label = {**_LABEL, "readers": None if readers is None else list(readers), "integrity": integrity}
        async with self.database.write(self.org) as session:
            keyring = await self.vault.keyring(session, self.org)
            document = _document(session, keyring, project, label)
            await session.flush()
            chunks = await _chunks(session, keyring, document, passages, live=live)
            await session.flush()
            session.add_all(
                ChunkVectorRow(
                    org_id=self.org,
                    chunk_id=chunk,
                    model=model,
                    project_id=project,
                    vector=vector,
                    large=large,
                    live=live,
                    decision_id=new_id(),
                )
                for chunk, vector in zip(chunks, vectors or (), strict=False)
            )
        return document.id, chunks


_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_LABEL: Mapping[str, Any] = {
    "author": None,
    "via": "system",
    "source_task": UUID(int=0),
    "training": "denied",
    "categories": ["workspace.knowledge"],
    "purposes": ["essential.service"],
    "sources": [],
}


def _document(session: WriteSession, keyring: Keyring, project: ProjectId, label: Mapping[str, Any]) -> DocumentRow:
    document, org = new_id(), keyring.org
    row = DocumentRow(
        org_id=org,
        id=document,
        project_id=project,
        title=keyring.seal_text("Passages", row=document, field="document.title"),
        title_key=keyring.commitment("document.title", document.bytes),
        source_kind="upload",
        state="ready",
        version=1,
        created_at=_NOW,
        updated_at=_NOW,
        decision_id=new_id(),
        **label,
    )
    version = DocumentVersionRow(
        org_id=org,
        document_id=document,
        version=1,
        content=keyring.seal(b"", row=document, field="document_version.content.1"),
        content_key=keyring.commitment("document_version.content", document.bytes),
        size=0,
        media_type="text/plain",
        state="ready",
        warnings=[],
        created_at=_NOW,
        decision_id=new_id(),
        **label,
    )
    session.add_all((row, version))
    return row


async def _chunks(
    session: WriteSession, keyring: Keyring, document: DocumentRow, passages: Sequence[str], *, live: bool
) -> tuple[UUID, ...]:
    chunks, build, at = tuple(new_id() for _ in passages), new_id(), 0
    label = {name: getattr(document, name) for name in (*_LABEL, "readers", "integrity")}
    every_words = await blinded(session, keyring, passages)
    for ordinal, (chunk, passage, words) in enumerate(zip(chunks, passages, every_words, strict=True)):
        session.add(
            ChunkRow(
                org_id=document.org_id,
                id=chunk,
                project_id=document.project_id,
                document_id=document.id,
                version=1,
                build=build,
                ordinal=ordinal,
                heading=keyring.seal_text(json.dumps(["Passages"]), row=chunk, field="chunk.heading"),
                text=keyring.seal_text(passage, row=chunk, field="chunk.text"),
                text_key=keyring.commitment("chunk.text", passage.encode()),
                start_at=at,
                end_at=at + len(passage),
                marks=[],
                live=live,
                decision_id=new_id(),
                **label,
            )
        )
        at += len(passage)
        session.add(
            ChunkWordsRow(
                org_id=document.org_id,
                chunk_id=chunk,
                project_id=document.project_id,
                words=words,
                decision_id=new_id(),
            )
        )
    return chunks
