"""What the actions of this room give back. Plain frozen data that can be written down as JSON."""

from dataclasses import dataclass
from datetime import datetime

from joule.kernel.ids import FileId, ProjectId
from joule.kernel.label import Label

from memory.items.results import (  # isort: skip
    Forgotten as Forgotten,
    Recalled as Recalled,
    RecalledItem as RecalledItem,
    Remembered as Remembered,
)


@dataclass(frozen=True, kw_only=True)
class ProjectMade:
    """A project that now has this title."""

    project: ProjectId


@dataclass(frozen=True, kw_only=True)
class ProjectGone:
    """What went with a project: rows really removed."""

    project: ProjectId
    items: int
    files: int
    versions: int
    documents: int = 0


@dataclass(frozen=True, kw_only=True)
class FileSaved:
    """The newest version of a file. `unchanged`: it already said exactly this, so no version was added."""

    file: FileId
    name: str
    version: int
    size: int  # bytes
    media_type: str
    label: Label
    unchanged: bool = False


@dataclass(frozen=True, kw_only=True)
class FileGone:
    """A file that was taken away, and until when it can be restored."""

    file: FileId
    name: str
    restorable_until: datetime


@dataclass(frozen=True, kw_only=True)
class FilesErased:
    """How much was really removed."""

    files: int
    versions: int


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """One file as it is now. `is_text`: it can be read, searched and edited."""

    file: FileId
    name: str
    version: int
    size: int  # bytes
    media_type: str
    is_text: bool
    updated_at: datetime
    label: Label


@dataclass(frozen=True, kw_only=True)
class FileList:
    """Files by name. `label` covers the names, which are as trusted as the files."""

    files: tuple[ListedFile, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class FileText:
    """Lines of a file, without numbers. `truncated`: there is more below, or a line was cut short."""

    file: FileId
    name: str
    version: int
    text: str
    start_line: int
    total_lines: int
    truncated: bool
    encoding: str
    label: Label

    def numbered(self) -> str:
        """The text with each line's number before it, as a person or a model is shown it."""
        return "\n".join(f"{at}\t{line}" for at, line in enumerate(self.text.split("\n"), self.start_line))


@dataclass(frozen=True, kw_only=True)
class FileHit:
    """One line that fits."""

    file: FileId
    name: str
    version: int
    line: int
    snippet: str
    label: Label


@dataclass(frozen=True, kw_only=True)
class FileHits:
    """Best first. `complete` is False when the search stopped at its limits before it had looked at everything."""

    hits: tuple[FileHit, ...]
    complete: bool
    label: Label


@dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """One column. Numbers are decimal text without exponent; sums are exact, others rounded to ten places.

    `kind`: `number`, `date` (ISO days), `text`, `mixed` (numbers and text), `empty`. `unit` is the currency or percent
    sign its numbers carry. `formulas` counts cells a spreadsheet would run; they are text here and never run.
    """

    name: str
    kind: str
    count: int  # cells with a value
    missing: int
    numbers: int
    formulas: int
    distinct: int
    unit: str = ""
    sum: str | None = None
    mean: str | None = None
    median: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    most_common: tuple[tuple[str, int], ...] = ()  # text columns: value and how often


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number column within one group."""

    column: str
    count: int
    sum: str
    mean: str | None


@dataclass(frozen=True, kw_only=True)
class GroupFacts:
    """The rows that share one value of the grouping column."""

    value: str
    rows: int
    measures: tuple[Measure, ...]
    ratio: str | None = None  # None also when the denominator's sum is zero


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """What a CSV file says, in numbers. `notes` tell what was left out or read in a particular way."""

    file: FileId
    name: str
    version: int
    rows: int
    total_columns: int
    delimiter: str
    columns: tuple[ColumnFacts, ...]
    ratio: str | None
    ranked_by: str  # what `groups` are sorted by, highest first
    groups: tuple[GroupFacts, ...]  # past 20, the ten highest and the ten lowest
    total_groups: int
    notes: tuple[str, ...]
    label: Label


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What had reached its end and was removed. `more`: there is still some left."""

    files: int
    versions: int
    items: int
    more: bool
