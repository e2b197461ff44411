"""Seals what documents say and opens it again: the only module that knows the fields of their seals.

Pure but for the keys it is given. The outline is JSON: the distinct heading paths, and for each part where it stands.
"""

import json
from uuid import UUID

from joule.kernel.errors import Corrupt
from joule.vault.keys import Keyring
from memory.knowledge.errors import OriginalGone, StillUnread
from memory.knowledge.reading.model import Mark, Parsed, Part
from memory.knowledge.tables import ChunkRow, DocumentRow, DocumentVersionRow

_TITLE = "document.title"
_CONTENT = "document_version.content"
_TEXT = "document_version.text"
_OUTLINE = "document_version.outline"
_HEADING = "chunk.heading"
_PIECE = "chunk.text"


def sealed_title(keyring: Keyring, title: str, *, document: UUID, generation: int = 0) -> bytes:
    return keyring.seal_text(title, row=document, field=_TITLE, generation=generation)


def title_of(row: DocumentRow, keyring: Keyring) -> str:
    """The title as it was given."""
    return keyring.open_text(row.title, row=row.id, field=_TITLE, generation=row.generation)


def sealed_content(keyring: Keyring, content: bytes, *, document: UUID, version: int) -> bytes:
    return keyring.seal(content, row=document, field=f"{_CONTENT}.{version}")


def content_of(row: DocumentVersionRow, keyring: Keyring) -> bytes:
    """The bytes as they came. Raises `OriginalGone` when they were not kept."""
    if row.content is None:
        raise OriginalGone
    return keyring.open(row.content, row=row.document_id, field=f"{_CONTENT}.{row.version}", generation=row.generation)


def sealed_text(keyring: Keyring, parsed: Parsed, row: DocumentVersionRow) -> tuple[bytes, bytes]:
    """The whole text and its outline, for the columns of `row`."""
    text = keyring.seal_text(
        parsed.text, row=row.document_id, field=f"{_TEXT}.{row.version}", generation=row.generation
    )
    outline = keyring.seal_text(
        _outline(parsed), row=row.document_id, field=f"{_OUTLINE}.{row.version}", generation=row.generation
    )
    return text, outline


def text_of(row: DocumentVersionRow, keyring: Keyring) -> str:
    """The whole text. Raises `StillUnread` while there is none."""
    if row.text is None:
        raise StillUnread
    return keyring.open_text(row.text, row=row.document_id, field=f"{_TEXT}.{row.version}", generation=row.generation)


def parts_of(row: DocumentVersionRow, keyring: Keyring) -> tuple[Part, ...]:
    """The parts of the text, in order; none while it is not read."""
    if row.text is None or row.outline is None:
        return ()
    text = text_of(row, keyring)
    outline = keyring.open_text(
        row.outline, row=row.document_id, field=f"{_OUTLINE}.{row.version}", generation=row.generation
    )
    try:
        kept = json.loads(outline)
        paths = [tuple(path) for path in kept["paths"]]
        return tuple(
            Part(
                ordinal=ordinal,
                text=text[start:end],
                page=page,
                heading=paths[path],
                start=start,
                end=end,
                marks=frozenset(map(Mark, marks)),
            )
            for ordinal, (page, path, start, end, marks) in enumerate(kept["parts"])
        )
    except (ValueError, KeyError, IndexError, TypeError):
        raise Corrupt("the outline of a document cannot be read") from None


def sealed_piece(keyring: Keyring, text: str, heading: tuple[str, ...], *, chunk: UUID) -> tuple[bytes, bytes]:
    """A piece's text and headings, for the columns of a new chunk."""
    return (
        keyring.seal_text(text, row=chunk, field=_PIECE),
        keyring.seal_text(json.dumps(heading, ensure_ascii=False), row=chunk, field=_HEADING),
    )


def piece_of(row: ChunkRow, keyring: Keyring) -> tuple[str, tuple[str, ...]]:
    """A piece's text and headings."""
    text = keyring.open_text(row.text, row=row.id, field=_PIECE, generation=row.generation)
    heading = keyring.open_text(row.heading, row=row.id, field=_HEADING, generation=row.generation)
    return text, tuple(json.loads(heading))


def _outline(parsed: Parsed) -> str:
    paths: dict[tuple[str, ...], int] = {}
    parts = [
        (part.page, paths.setdefault(part.heading, len(paths)), part.start, part.end, sorted(part.marks))
        for part in parsed.parts
    ]
    return json.dumps({"paths": list(paths), "parts": parts}, ensure_ascii=False, separators=(",", ":"))
