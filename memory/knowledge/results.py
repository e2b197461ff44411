"""What the actions of the knowledge base give back. Plain frozen data that can be written down as JSON."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joule.kernel.label import Label


@dataclass(frozen=True, kw_only=True)
class DocumentAdded:
    """A document that is kept, and queued to be read. `duplicate_of`: the same bytes were there already, as this one."""

    document: UUID
    version: int
    title: str
    state: str
    label: Label
    duplicate_of: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class DocumentIndexed:
    """How indexing one version went: `ready`, or `failed` with the code of what was wrong.

    `state` stays `indexing` when another worker was at it already.
    """

    document: UUID
    version: int
    state: str
    pages: int | None
    chunks: int
    failure: str | None
    warnings: tuple[str, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class DocumentChanged:
    """A document as it stands after a change."""

    document: UUID
    version: int
    state: str


@dataclass(frozen=True, kw_only=True)
class DocumentErased:
    """The receipt of a deletion: rows really removed, by what they were. `derived` counts what was made from it."""

    document: UUID
    versions: int
    chunks: int
    vectors: int
    items: int
    derived: tuple[tuple[str, int], ...] = ()
    at: datetime


@dataclass(frozen=True, kw_only=True)
class MaskingSet:
    """What is masked from now on, in every text that is kept."""

    masked: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListedDocument:
    """One document as it is now. `version` is searched (0: none yet); `newest` is the last that was given."""

    document: UUID
    title: str
    source_kind: str
    connection: UUID | None
    state: str
    failure: str | None
    version: int
    newest: int
    media_type: str
    size: int  # bytes
    pages: int | None
    chunks: int
    by_meaning: bool  # its pieces have vectors; else it is found by its words alone
    updated_at: datetime
    label: Label


@dataclass(frozen=True, kw_only=True)
class DocumentList:
    """Documents by title. `label` covers the titles, which are as trusted as the documents."""

    documents: tuple[ListedDocument, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class DocumentText:
    """Some of a document's text. `start` and `end` count characters of the whole, `total` long; `page` is where it begins."""

    document: UUID
    version: int
    title: str
    text: str
    start: int
    end: int
    total: int
    page: int | None
    pages: int | None
    truncated: bool
    label: Label


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One piece of a document that fits a question, with where it stands. `marks`: `hidden`, `speaker_notes`, `table`."""

    document: UUID
    version: int
    title: str
    chunk: UUID
    page: int | None
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    marks: tuple[str, ...]
    score: float
    label: Label


@dataclass(frozen=True, kw_only=True)
class Passages:
    """Best first. `how`: `hybrid`, or `text` when there is no model to compare meanings with.

    `complete`: False when the search stopped at a limit before it had looked at everything.
    """

    passages: tuple[Passage, ...]
    how: str
    complete: bool
    label: Label
