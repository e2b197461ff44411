"""Says what a file's bytes are, and reads text in the encodings people really have.

Pure. What the bytes are decides; the name is asked only which kind of text it is, where the bytes do not say.
"""

import io
import json
import zipfile
from pathlib import PurePosixPath

from memory._delimited import looks_delimited
from memory.errors import NotText
from memory.kinds import MediaType

_SIGNATURES: tuple[tuple[bytes, MediaType], ...] = (
    (b"%PDF-", MediaType.PDF),
    (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
    (b"\xff\xd8\xff", MediaType.JPEG),
    (b"GIF87a", MediaType.GIF),
    (b"GIF89a", MediaType.GIF),
)
_OFFICE = {"xl/": MediaType.XLSX, "word/": MediaType.DOCX, "ppt/": MediaType.PPTX}
_SPOKEN = {
    MediaType.PDF: "a PDF document",
    MediaType.XLSX: "an Excel workbook",
    MediaType.DOCX: "a Word document",
    MediaType.PPTX: "a PowerPoint presentation",
    MediaType.ZIP: "a ZIP archive",
    MediaType.BINARY: "of an unknown binary kind",
}
_MARKED = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8 with byte order mark"),
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
_MARKDOWN_SIGNS = ("# ", "## ", "### ", "- ", "* ", "> ", "```", "1. ")
_SNIFFED = 65_536  # characters looked at to tell kinds of text apart


def media_type(name: str, content: bytes) -> MediaType:
    """What the content is."""
    for signature, kind in _SIGNATURES:
        if content.startswith(signature):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return MediaType.WEBP
    if content.startswith(b"PK\x03\x04"):
        return _archive(content)
    try:
        text, _ = decode(content)
    except NotText:
        return MediaType.BINARY
    return _kind_of_text(PurePosixPath(name).suffix.lower(), text)


def spoken(kind: MediaType) -> str:
    """How a person would call it: "a PDF document"."""
    return _SPOKEN.get(kind, "an image" if kind.startswith("image/") else "text")


def decode(content: bytes) -> tuple[str, str]:
    """The text and the name of its encoding. Raises `NotText` for bytes that are no text in any of them."""
    for mark, codec, name in _MARKED:
        if content.startswith(mark):
            try:
                return _readable(content.decode(codec)), name
            except UnicodeDecodeError:
                raise NotText(spoken(MediaType.BINARY)) from None
    candidates = [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")]
    if b"\0" in content[:4096]:
        # Western text in UTF-16 without a mark has a null in nearly every other byte.
        head = content[:4096]
        candidates = (
            [("utf-16-le", "UTF-16")] if head[1::2].count(0) > head[::2].count(0) else [("utf-16-be", "UTF-16")]
        )
        if max(head[1::2].count(0), head[::2].count(0)) * 3 < len(head):
            candidates = []
    for codec, name in candidates:
        try:
            return _readable(content.decode(codec)), name
        except UnicodeDecodeError:
            continue
    raise NotText(spoken(MediaType.BINARY))


def encoded(text: str, encoding: str) -> bytes:
    """Text of a file as bytes again, in the encoding `decode` told; UTF-8 where that has no place for a sign."""
    codec = {name: codec for _, codec, name in _MARKED} | {"Windows-1252": "cp1252"}
    try:
        return text.encode(codec.get(encoding, "utf-8"))
    except UnicodeEncodeError:
        return text.encode()


def _readable(text: str) -> str:
    """The text itself; `NotText` when so much of it is control codes that it is no text."""
    head = text[:_SNIFFED]
    controls = sum(1 for sign in head if ord(sign) < 32 and sign not in "\t\n\r\f")
    if "\0" in text or controls * 200 > len(head):
        raise NotText(spoken(MediaType.BINARY))
    return text


def _archive(content: bytes) -> MediaType:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # only the directory is read; nothing is unpacked
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeDecodeError):
        return MediaType.BINARY
    if "[Content_Types].xml" in names:
        for folder, kind in _OFFICE.items():
            if any(name.startswith(folder) for name in names):
                return kind
    return MediaType.ZIP


def _kind_of_text(suffix: str, text: str) -> MediaType:
    head = text[:_SNIFFED].lstrip()
    if head[:200].lower().startswith(("<!doctype html", "<html", "<head", "<body")):
        return MediaType.HTML
    if head[:1] in {"{", "["} and _is_json(text):
        return MediaType.JSON
    if suffix in {".md", ".markdown"}:
        return MediaType.MARKDOWN
    if suffix in {".csv", ".tsv"} or looks_delimited(head):
        return MediaType.CSV
    if suffix in {".html", ".htm"} and "<" in head:
        return MediaType.HTML
    if suffix != ".txt" and any(line.startswith(_MARKDOWN_SIGNS) for line in head.splitlines()):
        return MediaType.MARKDOWN
    return MediaType.TEXT


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
