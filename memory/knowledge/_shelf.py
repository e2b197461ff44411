"""Keeps documents and their versions, and has them read. What they say is not looked at here.

A version never changes; the same bytes are kept once. Whoever keeps one leaves a note for the workers, which goes out
when the transaction commits.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.database.signals import notify
from joule.kernel.errors import Invalid
from joule.kernel.ids import ProjectId, new_id
from joule.kernel.label import Integrity, Label, join
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal
from joule.vault.keys import Keyring
from memory import _labels, _words, gone
from memory._content import media_type, spoken
from memory.errors import TooMuch
from memory.kinds import MediaType
from memory.knowledge import _rows, _sealed, _titles
from memory.knowledge.actions import AddDocument
from memory.knowledge.brought import external_key
from memory.knowledge.errors import CutOff, NotADocument, OriginalGone, TitleTaken
from memory.knowledge.reading.errors import WrongType
from memory.knowledge.results import DocumentAdded, DocumentChanged
from memory.knowledge.states import DocumentState, SourceKind
from memory.knowledge.tables import DocumentRow, DocumentVersionRow

CHANNEL = "knowledge"  # of signals: an organisation has a document to read
MAX_DOCUMENTS = 10_000  # in a project
MAX_VERSIONS = 100  # of a document
CATEGORY = "workspace.knowledge"

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('documents:' || :project, 0))")


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where documents of one project are put in one transaction, and on whose decision."""

    session: WriteSession
    keyring: Keyring
    permit: Permit
    principal: Principal
    project: ProjectId
    now: datetime
    max_bytes: int

    async def add(self, action: AddDocument) -> DocumentAdded:
        """The document is kept and queued. Raises what is wrong with it, and `SourceGone` for what was deleted."""
        title = _titles.title(action.title)
        _check_source(action)
        kind = await self._kind(title, action)
        external = self._external_key(action)
        await gone.must_stand(
            self.session,
            self.keyring.org,
            {*action.label.sources, *_sources(action), *({_rows.tombstone(external)} if external else ())},
        )
        await self.session.execute(_ONE_AT_A_TIME, {"project": str(self.project)})
        key = await asyncio.to_thread(
            self.keyring.commitment, "document_version.content", self.project.bytes, action.content
        )
        known = await self._same(action, key, external)
        if known is not None:
            return await self._again(known)
        row = await self._of(title, external)
        if row is None:
            row = await self._new(action, title, external)
        elif row.newest >= MAX_VERSIONS:
            raise TooMuch(
                f"the document has {MAX_VERSIONS} versions already", advice="Delete it and add it as a new one."
            )
        else:
            row.newest += 1
        return await self._version(row, action, kind, key)

    async def rename(self, document: UUID, given: str) -> DocumentChanged:
        """It is called so from now on."""
        title = _titles.title(given)
        await self.session.execute(_ONE_AT_A_TIME, {"project": str(self.project)})
        row = await _rows.locked(self.session, self.keyring, self.project, document, self.principal.person)
        other = await self._titled(title)
        if other is not None and other.id != row.id:
            raise TitleTaken
        row.generation += 1
        row.title = _sealed.sealed_title(self.keyring, title, document=row.id, generation=row.generation)
        row.title_key = self._title_key(title)
        row.updated_at, row.decision_id = self.now, self.permit.decision
        await self.session.flush()
        return _changed(row)

    async def requeue(self, document: UUID) -> DocumentChanged:
        """Its newest version is read again. Raises `OriginalGone` when it cannot be."""
        row = await _rows.locked(self.session, self.keyring, self.project, document, self.principal.person)
        version = await _rows.version_of(self.session, self.keyring.org, row.id, row.newest)
        kept = await self.session.scalar(
            select(col(DocumentVersionRow.content).is_not(None)).where(
                *_rows.one_version(self.keyring.org, row.id, row.newest)
            )
        )
        if not kept:
            raise OriginalGone
        await self._queue(row, version)
        return _changed(row)

    async def _kind(self, title: str, action: AddDocument) -> MediaType:
        came = len(action.content)
        if action.expected_bytes is not None and action.expected_bytes != came:
            raise CutOff(expected=action.expected_bytes, came=came)
        if came > self.max_bytes:
            raise TooMuch(
                f"the document is larger than {self.max_bytes // 1_000_000} MB",
                advice="Upload a part of it, or ask an operator to raise the limit in the settings.",
            )
        if not came:
            raise Invalid("the document is empty", advice="Choose a file with something in it.")
        kind = await asyncio.to_thread(media_type, title, action.content)
        if _titles.lies(title, kind):
            raise WrongType
        if kind not in _titles.READABLE:
            raise NotADocument(spoken(kind))
        return kind

    async def _same(self, action: AddDocument, key: bytes, external: bytes | None) -> DocumentVersionRow | None:
        """The newest version of a document from the same place that has these bytes."""
        found = await self.session.scalars(
            select(DocumentVersionRow)
            .options(*_rows.without_content())
            .join(DocumentRow, _rows.newest_version())
            .where(
                col(DocumentVersionRow.org_id) == self.keyring.org,
                col(DocumentVersionRow.content_key) == key,
                col(DocumentRow.project_id) == self.project,
                col(DocumentRow.connection_id).is_not_distinct_from(action.connection),
                col(DocumentRow.external_key).is_not_distinct_from(external),
            )
        )
        return next((row for row in found if _labels.may_read(row, self.principal.person)), None)

    async def _again(self, known: DocumentVersionRow) -> DocumentAdded:
        """The document that is there. What could not be read is tried again: a person asks for it."""
        row = await _rows.locked(self.session, self.keyring, self.project, known.document_id, self.principal.person)
        if row.state == DocumentState.FAILED and known.state == DocumentState.FAILED:
            await self._queue(row, known)
        return self._added(row, known, duplicate=True)

    async def _of(self, title: str, external: bytes | None) -> DocumentRow | None:
        """The document this is a new version of."""
        if external is not None:
            found: DocumentRow | None = await self.session.scalar(
                select(DocumentRow)
                .where(*_rows.within(self.keyring.org, self.project), col(DocumentRow.external_key) == external)
                .with_for_update()
            )
            return found
        row = await self._titled(title)
        if row is not None and (row.external_key is not None or not _labels.may_read(row, self.principal.person)):
            raise TitleTaken  # it is another's to change
        return row

    async def _titled(self, title: str) -> DocumentRow | None:
        found: DocumentRow | None = await self.session.scalar(
            select(DocumentRow)
            .where(*_rows.within(self.keyring.org, self.project), col(DocumentRow.title_key) == self._title_key(title))
            .with_for_update()
        )
        return found

    async def _new(self, action: AddDocument, title: str, external: bytes | None) -> DocumentRow:
        count = await self.session.scalar(
            select(func.count()).select_from(DocumentRow).where(*_rows.within(self.keyring.org, self.project))
        )
        if (count or 0) >= MAX_DOCUMENTS:
            raise TooMuch(f"the project has {MAX_DOCUMENTS} documents already", advice="Delete some you do not need.")
        if external is not None:
            title = await self._free(title)
        document = new_id()
        row = DocumentRow(
            org_id=self.keyring.org,
            id=document,
            project_id=self.project,
            title=_sealed.sealed_title(self.keyring, title, document=document),
            title_key=self._title_key(title),
            source_kind=action.source.value,
            connection_id=action.connection,
            external_key=external,
            state=DocumentState.QUEUED.value,
            created_at=self.now,
            updated_at=self.now,
            decision_id=self.permit.decision,
            **self._columns(self._label(action, document)),
        )
        self.session.add(row)
        await self.session.flush()
        return row

    async def _free(self, title: str) -> str:
        """The title, or the like that no document has: two files of an account may be called the same."""
        for number in range(2, 100):
            if await self._titled(title) is None:
                return title
            title = _titles.another(title if number == 2 else title[: title.rindex(" (")], number)
        raise TitleTaken

    async def _version(self, row: DocumentRow, action: AddDocument, kind: MediaType, key: bytes) -> DocumentAdded:
        label = self._label(action, row.id)
        content = await asyncio.to_thread(
            _sealed.sealed_content, self.keyring, action.content, document=row.id, version=row.newest
        )
        version = DocumentVersionRow(
            org_id=self.keyring.org,
            document_id=row.id,
            version=row.newest,
            content=content,
            content_key=key,
            size=len(action.content),
            media_type=kind.value,
            state=DocumentState.QUEUED.value,
            warnings=[],
            created_at=self.now,
            decision_id=self.permit.decision,
            **self._columns(label),
        )
        self.session.add(version)
        for name, value in self._columns(label.join(_labels.label_of(row))).items():
            setattr(row, name, value)
        await self._queue(row, version)
        return self._added(row, version)

    async def _queue(self, row: DocumentRow, version: DocumentVersionRow) -> None:
        row.state = version.state = DocumentState.QUEUED.value
        row.failure = version.failure = None
        row.build, row.lease_until, row.attempts = None, None, 0
        row.updated_at = self.now
        row.decision_id = version.decision_id = self.permit.decision
        await self.session.flush()
        await notify(self.session, CHANNEL, str(self.keyring.org))

    def _label(self, action: AddDocument, document: UUID) -> Label:
        """A document is an outsider's words, whoever brought it."""
        outside = Label(
            integrity=Integrity.UNTRUSTED,
            categories=frozenset({CATEGORY}),
            sources=frozenset({f"document:{document}", *_sources(action)}),
        )
        return join([outside, action.label])

    def _columns(self, label: Label) -> dict[str, Any]:
        return _labels.columns(label, principal=self.principal, permit=self.permit)

    def _title_key(self, title: str) -> bytes:
        return self.keyring.commitment("document.title", self.project.bytes, _words.sameness(title))

    def _external_key(self, action: AddDocument) -> bytes | None:
        if action.connection is None or action.external is None:
            return None
        return external_key(self.keyring, self.project, action.connection, action.external)

    def _added(self, row: DocumentRow, version: DocumentVersionRow, *, duplicate: bool = False) -> DocumentAdded:
        return DocumentAdded(
            document=row.id,
            version=version.version,
            title=_sealed.title_of(row, self.keyring),
            state=row.state,
            label=_labels.label_of(version),
            duplicate_of=row.id if duplicate else None,
        )


def _check_source(action: AddDocument) -> None:
    if (action.source is SourceKind.CONNECTION) is not (action.connection is not None):
        raise Invalid("a document from a connection names it", advice="Report this to your support contact.")


def _sources(action: AddDocument) -> frozenset[str]:
    """What it comes from, as labels name it."""
    found = {f"connection:{action.connection}"} if action.connection else set()
    return frozenset(found | ({f"person:{action.principal.person}"} if action.principal.person else set()))


def _changed(row: DocumentRow) -> DocumentChanged:
    return DocumentChanged(document=row.id, version=row.newest, state=row.state)
