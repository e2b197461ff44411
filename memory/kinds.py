"""The closed lists of this room: sorts of remembered items and of file content."""

from enum import StrEnum


class ItemKind(StrEnum):
    """What sort of thing is remembered."""

    FACT = "fact"
    PREFERENCE = "preference"
    RULE = "rule"


class MediaType(StrEnum):
    """What a file's bytes are, by looking at them. Anything unknown is `BINARY`."""

    TEXT = "text/plain"
    CSV = "text/csv"
    MARKDOWN = "text/markdown"
    HTML = "text/html"
    JSON = "application/json"
    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    ZIP = "application/zip"
    BINARY = "application/octet-stream"

    @property
    def is_text(self) -> bool:
        """Whether it can be read, searched and edited as lines."""
        return self in {MediaType.TEXT, MediaType.CSV, MediaType.MARKDOWN, MediaType.HTML, MediaType.JSON}
