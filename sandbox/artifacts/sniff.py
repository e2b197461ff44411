"""What some bytes are, found out by looking at them. Names and claims of the guest only help to tell text from text.

Pure, and bounded: an archive's list of names is read, nothing in it is unpacked.
"""

import io
import json
import zipfile

CHART = "application/vnd.vegalite+json"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
PDF = "application/pdf"
UNKNOWN = "application/octet-stream"

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
    (b"\x1f\x8b", "application/gzip"),
    (b"PAR1", "application/vnd.apache.parquet"),
)
_OFFICE = {"xl/workbook.xml": WORKBOOK, "word/document.xml": DOCUMENT, "ppt/presentation.xml": SLIDES}
_TEXTS = {"csv": "text/csv", "tsv": "text/tab-separated-values", "md": "text/markdown"}
_MOST_MEMBERS = 10_000
_LARGEST_JSON = 5_000_000  # bytes that are read to tell JSON from text


def media_type(name: str, content: bytes) -> str:
    """The media type of `content`; `name` decides only between kinds of text."""
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith(b"PK\x03\x04"):
        return _archive(content)
    return _text(name, content)


def _archive(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return UNKNOWN
    if len(names) > _MOST_MEMBERS:
        return "application/zip"
    return next((kind for member, kind in _OFFICE.items() if member in names), "application/zip")


def _text(name: str, content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return UNKNOWN
    if "\x00" in text:
        return UNKNOWN
    head = text[:1000].lstrip("\ufeff \t\r\n").lower()
    if "<svg" in head:
        return "image/svg+xml"
    if head.startswith(("<!doctype html", "<html", "<head", "<body", "<script")):
        return "text/html"
    if head[:1] in {"{", "["} and len(content) <= _LARGEST_JSON:
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, dict) and "vega-lite" in str(told.get("$schema", "")):
            return CHART
        if told is not None:
            return "application/json"
    return _TEXTS.get(name.rpartition(".")[2].lower(), "text/plain")
