"""Which reader reads which format, and whether the bytes are of the format they are said to be.

Imported by the shut-in process only (and by tests): a format's reader is imported when it is asked for.
"""

from collections.abc import Callable
from importlib import import_module

from memory._content import media_type
from memory.kinds import MediaType
from memory.knowledge.reading.errors import Broken, Encrypted, NotReadable, Unreadable, WrongType
from memory.knowledge.reading.model import Limits, Parsed

Read = Callable[[bytes, Limits], Parsed]

_READERS = {
    MediaType.PDF: "_pdf",
    MediaType.DOCX: "_docx",
    MediaType.PPTX: "_pptx",
    MediaType.XLSX: "_xlsx",
    MediaType.HTML: "_html",
    MediaType.CSV: "_plain",
    MediaType.MARKDOWN: "_plain",
    MediaType.TEXT: "_plain",
    MediaType.JSON: "_plain",
}
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # a compound file: an encrypted document, or one of before 2007
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BEGINNINGS = {
    MediaType.PDF: b"%PDF-",
    MediaType.DOCX: b"PK",
    MediaType.PPTX: b"PK",
    MediaType.XLSX: b"PK",
}


def prepared(kind: str, limits: Limits) -> Read:
    """What reads this format, with everything it imports already imported: nothing can be opened later."""
    try:
        name = _READERS[MediaType(kind)]
    except (KeyError, ValueError):
        return _refusing
    module = import_module(f"memory.knowledge.reading.{name}")
    module.warm(limits)

    def read(content: bytes, limits: Limits) -> Parsed:
        _must_be(MediaType(kind), content)
        parsed: Parsed = module.read(content, limits, MediaType(kind))
        return parsed

    return read


def _refusing(content: bytes, limits: Limits) -> Parsed:
    raise _of_old_office(content) if content.startswith(_OLD_OFFICE) else NotReadable


def _must_be(kind: MediaType, content: bytes) -> None:
    """Raise when the bytes are of another kind: what they are decides, not what was said."""
    if content.startswith(_OLD_OFFICE):
        raise _of_old_office(content)
    found = media_type("", content)
    if found is kind or (found.is_text and kind.is_text):
        return
    if content.startswith(_BEGINNINGS.get(kind, b"\0\0")) and found in {MediaType.BINARY, MediaType.ZIP}:
        raise Broken  # it begins like one and is none: cut off, most often
    raise WrongType


def _of_old_office(content: bytes) -> type[Unreadable]:
    return Encrypted if _ENCRYPTED in content else NotReadable
