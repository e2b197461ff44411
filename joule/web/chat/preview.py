"""Shows one file: a table as a table, Markdown rendered, other text as it is; and who made which version. Pure."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from joule.kernel.ids import PersonId
from joule.kernel.label import Integrity, Label
from joule.web.markdown import Block, Renderer
from memory.queries import FileContent, FileView, VersionView

ROWS = 51  # of a table, its heading included
COLUMNS = 40


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """One version of a file."""

    version: int
    href: str
    restore: str
    size: int
    author: str
    at: datetime
    current: bool


@dataclass(frozen=True, kw_only=True)
class FilePage:
    """A file, looked at."""

    name: str
    download: str
    size: int
    media_type: str
    version: int
    versions: tuple[VersionLine, ...]
    rows: tuple[tuple[str, ...], ...]
    blocks: tuple[Block, ...]
    text: str | None
    cut: str
    note: str


def author_of(version: VersionView, names: Mapping[PersonId, str]) -> str:
    """Whose hand a version is by."""
    name = names.get(version.author, "somebody") if version.author else "Joule"
    return f"Joule for {name}" if version.via == "agent" else name


def trust_of(label: Label) -> str:
    """Whether a value can hold an outsider's words."""
    return "From outside" if label.integrity is Integrity.UNTRUSTED else "Trusted"


def file_page(
    renderer: Renderer, view: FileView, content: FileContent, names: Mapping[PersonId, str], *, base: str
) -> FilePage:
    """One version of a file. `base` is the file's own address."""
    text = content.preview
    rows = table_rows(text) if text is not None and content.media_type == "text/csv" else ()
    blocks: tuple[Block, ...] = ()
    if text is not None and content.media_type == "text/markdown":
        blocks = renderer.blocks(text)
    is_newest = content.version == view.newest.version
    return FilePage(
        name=view.name,
        download=f"{base}/download?version={content.version}",
        size=len(content.content),
        media_type=content.media_type,
        version=content.version,
        versions=tuple(_version(each, view, base, names) for each in view.versions),
        rows=rows,
        blocks=blocks,
        text=None if rows or blocks else text,
        cut=_cut(content, rows),
        note="" if is_newest else f"This is version {content.version}. The newest is version {view.newest.version}.",
    )


def _version(each: VersionView, view: FileView, base: str, names: Mapping[PersonId, str]) -> VersionLine:
    return VersionLine(
        version=each.version,
        href=f"{base}?version={each.version}",
        restore=f"{base}/restore",
        size=each.size,
        author=author_of(each, names),
        at=each.created_at,
        current=each.version == view.newest.version,
    )


def table_rows(text: str) -> tuple[tuple[str, ...], ...]:
    """The first rows of a table. Cells are shown as text, formulas too."""
    sample = text[:4000]
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(sample, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        found = [
            tuple(row[:COLUMNS]) for _, row in zip(range(ROWS), csv.reader(io.StringIO(text), dialect), strict=False)
        ]
    except csv.Error:
        return ()
    width = max((len(row) for row in found), default=0)
    return tuple((*row, *[""] * (width - len(row))) for row in found if row)


def _cut(content: FileContent, rows: tuple[tuple[str, ...], ...]) -> str:
    if rows:
        return "The first 50 rows are shown; download the file for all." if len(rows) >= ROWS - 1 else ""
    return "Only the beginning is shown; download the file for all." if content.is_preview_cut else ""
