"""The closed lists of the knowledge base: where documents come from, and how far they are."""

from enum import StrEnum


class SourceKind(StrEnum):
    """Where a document came from. Whichever: its words are an outsider's."""

    UPLOAD = "upload"
    CONNECTION = "connection"
    WEB_PAGE = "web_page"


class DocumentState(StrEnum):
    """How far the newest version of a document is. An earlier one is searched until a newer one is ready."""

    QUEUED = "queued"  # kept, and waiting for a worker
    READING = "reading"  # a worker is taking its text out
    INDEXING = "indexing"  # its pieces are being kept; none is visible yet
    READY = "ready"  # it can be searched
    FAILED = "failed"  # it could not be read; `failure` says why

    @property
    def is_under_way(self) -> bool:
        """Whether a worker has still to do something."""
        return self in {DocumentState.QUEUED, DocumentState.READING, DocumentState.INDEXING}
