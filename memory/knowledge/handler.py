"""The only way in to the knowledge base: each method spends its permit, then does what the action says.

Reading and indexing a document opens its own transactions; no transaction is open while a document is read or a model
is asked.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from joule.database.engine import Database, ReadSession, WriteSession
from joule.database.following import Follower
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.handler import Method
from joule.kernel.ids import ProjectId
from joule.kernel.permit import Admission, Permit
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from memory import _labels, _projects, masking
from memory.knowledge import _rows, _sealed, _texts, actions, erasing, queries, retrieval
from memory.knowledge._indexing import Indexer
from memory.knowledge._shelf import Shelf
from memory.knowledge.embedding.base import Embedder
from memory.knowledge.reading.model import Limits
from memory.knowledge.reading.parse import Reader
from memory.knowledge.results import (
    DocumentAdded,
    DocumentChanged,
    DocumentErased,
    DocumentIndexed,
    DocumentList,
    DocumentText,
    ListedDocument,
    MaskingSet,
    Passage,
    Passages,
)
from memory.knowledge.tables import DocumentRow
from memory.masking import People, nobody

MAX_PASSAGES = 20


class KnowledgeHandler:
    """Documents: kept, read, searched, erased."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        reader: Reader,
        embedder: Embedder | None,
        max_document_bytes: int,
        limits: Limits | None = None,
        people: People = nobody,
        followers: Sequence[Follower] = (),
    ) -> None:
        """`people` names an organisation's own people. `followers` erase what was made from a document elsewhere."""
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._embedder, self._followers, self._max_bytes = embedder, tuple(followers), max_document_bytes
        self._indexer = Indexer(
            database=database,
            vault=vault,
            clock=clock,
            reader=reader,
            embedder=embedder,
            people=people,
            limits=limits or Limits(),
        )

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            actions.AddDocument: self.add_document,
            actions.IndexDocument: self.index_document,
            actions.RenameDocument: self.rename_document,
            actions.ReindexDocument: self.reindex_document,
            actions.DeleteDocument: self.delete_document,
            actions.SetMasking: self.set_masking,
            actions.SearchKnowledge: self.search_knowledge,
            actions.ListDocuments: self.list_documents,
            actions.ReadDocument: self.read_document,
        }

    async def add_document(self, permit: Permit, action: actions.AddDocument, session: WriteSession) -> DocumentAdded:
        self._admission.admit(permit, action)
        return await (await self._shelf(permit, action, session)).add(action)

    async def index_document(self, permit: Permit, action: actions.IndexDocument) -> DocumentIndexed:
        self._admission.admit(permit, action)
        return await self._indexer.index(permit, action)

    async def rename_document(
        self, permit: Permit, action: actions.RenameDocument, session: WriteSession
    ) -> DocumentChanged:
        self._admission.admit(permit, action)
        return await (await self._shelf(permit, action, session)).rename(action.document, action.title)

    async def reindex_document(
        self, permit: Permit, action: actions.ReindexDocument, session: WriteSession
    ) -> DocumentChanged:
        self._admission.admit(permit, action)
        return await (await self._shelf(permit, action, session)).requeue(action.document)

    async def delete_document(
        self, permit: Permit, action: actions.DeleteDocument, session: WriteSession
    ) -> DocumentErased:
        self._admission.admit(permit, action)
        org, project = action.principal.org, await _projects.required(session, action.principal.org, action.project)
        keyring = await self._vault.keyring(session, org)
        row = await _rows.readable(session, keyring, project, action.document, action.principal.person)
        erased = await erasing.erase(session, permit, org, row.id)
        derived: dict[str, int] = {}
        for follower in self._followers:
            for what, count in (await follower(session, permit, org, [f"document:{row.id}"])).items():
                derived[what] = derived.get(what, 0) + count
        return DocumentErased(
            document=row.id,
            versions=erased.versions,
            chunks=erased.chunks,
            vectors=erased.vectors,
            items=derived.pop("items", 0),
            derived=tuple(sorted(derived.items())),
            at=permit.issued_at,
        )

    async def set_masking(self, permit: Permit, action: actions.SetMasking, session: WriteSession) -> MaskingSet:
        self._admission.admit(permit, action)
        chosen = await masking.set_rule(session, permit, action.masked, clock=self._clock)
        return MaskingSet(masked=tuple(sorted(chosen)))

    async def search_knowledge(self, permit: Permit, action: actions.SearchKnowledge) -> Passages:
        self._admission.admit(permit, action)
        question = await retrieval.asked(
            action.query, embedder=self._embedder, principal=action.principal, label=action.label
        )
        async with self._reading(action) as (session, project, keyring):
            found = await retrieval.search(
                session,
                keyring,
                project,
                action.principal.person,
                question,
                limit=max(1, min(action.limit, MAX_PASSAGES)),
                documents=action.documents,
                minimum_integrity=action.minimum_integrity,
            )
            rows = await session.scalars(
                select(DocumentRow).where(
                    col(DocumentRow.org_id) == keyring.org,
                    col(DocumentRow.id).in_({hit.document for hit in found.hits}),
                )
            )
            titles = {row.id: _sealed.title_of(row, keyring) for row in rows}
        passages = tuple(
            Passage(
                document=hit.document,
                version=hit.version,
                title=titles[hit.document],
                chunk=hit.chunk,
                page=hit.page,
                heading=hit.heading,
                text=hit.text,
                start=hit.start,
                end=hit.end,
                marks=tuple(sorted(hit.marks)),
                score=hit.score,
                label=hit.label,
            )
            for hit in found.hits
            if hit.document in titles  # else it has been deleted since the hits were found
        )
        return Passages(
            passages=passages,
            how=found.how.value,
            complete=found.complete,
            label=_labels.of_all(each.label for each in passages),
        )

    async def list_documents(self, permit: Permit, action: actions.ListDocuments) -> DocumentList:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            views = await queries.list_documents(session, keyring, project, reader=action.principal.person)
        listed = tuple(
            ListedDocument(
                document=view.document,
                title=view.title,
                source_kind=view.source.value,
                connection=view.connection,
                state=view.state.value,
                failure=view.failure,
                version=view.version,
                newest=view.newest,
                media_type=view.media_type,
                size=view.size,
                pages=view.pages,
                chunks=view.chunks,
                by_meaning=view.by_meaning,
                updated_at=view.updated_at,
                label=view.label,
            )
            for view in views
        )
        return DocumentList(documents=listed, label=_labels.of_all(each.label for each in listed))

    async def read_document(self, permit: Permit, action: actions.ReadDocument) -> DocumentText:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            return await _texts.some(session, keyring, action, project)

    async def _shelf(self, permit: Permit, action: Action[Any], session: WriteSession) -> Shelf:
        org = action.principal.org
        project = await _projects.required(session, org, action.project, stays=True)
        return Shelf(
            session=session,
            keyring=await self._vault.keyring(session, org),
            permit=permit,
            principal=action.principal,
            project=project,
            now=self._clock.now(),
            max_bytes=self._max_bytes,
        )

    @asynccontextmanager
    async def _reading(self, action: Action[Any]) -> AsyncIterator[tuple[ReadSession, ProjectId, Keyring]]:
        org = action.principal.org
        async with self._database.read(org) as session:
            project = await _projects.required(session, org, action.project)
            yield session, project, await self._vault.keyring(session, org)
