"""All that can be done with an organisation's documents.

Every action but `SetMasking` needs its `project`. A document is an outsider's words, whoever brought it: what is read from it is
untrusted, and so is its title.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from joule.kernel.action import Action, Effect, content
from joule.kernel.label import Integrity, Purpose
from memory.detecting import FindingKind
from memory.knowledge.results import (
    DocumentAdded,
    DocumentChanged,
    DocumentErased,
    DocumentIndexed,
    DocumentList,
    DocumentText,
    MaskingSet,
    Passages,
)
from memory.knowledge.states import SourceKind


@dataclass(frozen=True, kw_only=True)
class OfOneDocument:
    """The part of an action that says which document is meant."""

    document: UUID

    def relevant(self) -> Mapping[str, str]:
        return {"document": str(self.document)}


@dataclass(frozen=True, kw_only=True)
class AddDocument(Action[DocumentAdded]):
    """Keep a document and have it read: a new one, or a new version of the one with that title.

    The same bytes again are the same document. `expected_bytes`, when its sender knows: raises `CutOff` unless so many
    came. What comes through a connection names it, and by `external` what it is there (never kept in clear): for connectors
    that bring files in. None that is shipped does.
    """

    name: ClassVar[str] = "memory.add_document"
    effect: ClassVar[Effect] = Effect.WRITE

    title: str
    content: bytes = content()
    source: SourceKind = SourceKind.UPLOAD
    connection: UUID | None = None
    external: str | None = None
    expected_bytes: int | None = None

    def relevant(self) -> Mapping[str, str]:
        return {"title": self.title}


@dataclass(frozen=True, kw_only=True)
class IndexDocument(OfOneDocument, Action[DocumentIndexed]):
    """Read the newest version of a document and make it searchable: in one step, once all of it is there.

    Can be broken off anywhere and run again. What cannot be read is not raised: the document is `failed`, and says why.
    """

    name: ClassVar[str] = "memory.index_document"
    effect: ClassVar[Effect] = Effect.RUN
    purpose: ClassVar[Purpose] = Purpose.SERVICE
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class RenameDocument(OfOneDocument, Action[DocumentChanged]):
    """Give a document another title. Raises `TitleTaken` when another document of the project has it."""

    name: ClassVar[str] = "memory.rename_document"
    effect: ClassVar[Effect] = Effect.WRITE

    title: str

    def relevant(self) -> Mapping[str, str]:
        return {"document": str(self.document), "title": self.title}


@dataclass(frozen=True, kw_only=True)
class ReindexDocument(OfOneDocument, Action[DocumentChanged]):
    """Read a document's newest version again. What is searched now stays so until the new index is whole."""

    name: ClassVar[str] = "memory.reindex_document"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class DeleteDocument(OfOneDocument, Action[DocumentErased]):
    """Erase a document, every version, piece and vector of it, and what was made from it. There is no way back."""

    name: ClassVar[str] = "memory.delete_document"
    effect: ClassVar[Effect] = Effect.DELETE


@dataclass(frozen=True, kw_only=True)
class SetMasking(Action[MaskingSet]):
    """Choose what is covered in every text that is kept from now on; what else is found is marked in its label.

    Card numbers are always covered, chosen or not.
    """

    name: ClassVar[str] = "memory.set_masking"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    masked: tuple[FindingKind, ...]


@dataclass(frozen=True, kw_only=True)
class SearchKnowledge(Action[Passages]):
    """The passages of the project's documents that fit a question best; of some documents only, if any are named."""

    name: ClassVar[str] = "memory.search_knowledge"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    query: str
    limit: int = 8
    documents: tuple[UUID, ...] = ()
    minimum_integrity: Integrity | None = None


@dataclass(frozen=True, kw_only=True)
class ListDocuments(Action[DocumentList]):
    """Which documents the project has, by title."""

    name: ClassVar[str] = "memory.list_documents"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class ReadDocument(OfOneDocument, Action[DocumentText]):
    """Some of a document's text: from the first character of `page`, or from `start`. At most `limit` characters.

    `version` None: the one that is searched.
    """

    name: ClassVar[str] = "memory.read_document"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    page: int | None = None
    start: int = 0
    limit: int = 8_000
    version: int | None = None
