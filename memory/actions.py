"""All that can be done to projects and project files; what can be done to remembered items is passed on.

Every action but `CreateProject` and `Sweep` needs its `project`. Results that carry content carry the `Label` of that
content: what came from an upload is untrusted whoever owns it, what a person typed is theirs, and what the agent wrote
has the label of everything the agent had read (the action's own `label`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from joule.kernel.action import Action, Effect, content
from joule.kernel.ids import FileId
from joule.kernel.label import Purpose

from memory.items.actions import (  # isort: skip
    AcceptItem as AcceptItem,
    DeclineItem as DeclineItem,
    EditItem as EditItem,
    ExportForTraining as ExportForTraining,
    ExportItems as ExportItems,
    ForgetItem as ForgetItem,
    GiveTrainingConsent as GiveTrainingConsent,
    ListItems as ListItems,
    PinItem as PinItem,
    ProposeItem as ProposeItem,
    Recall as Recall,
    Remember as Remember,
    SwitchMemory as SwitchMemory,
    WithdrawTrainingConsent as WithdrawTrainingConsent,
)
from memory.results import (
    FileGone,
    FileHits,
    FileList,
    FileSaved,
    FilesErased,
    FileText,
    ProjectGone,
    ProjectMade,
    Swept,
    TableFacts,
)


@dataclass(frozen=True, kw_only=True)
class OfOneFile:
    """The part of an action that says which file is meant: its name within the project, in any letter case."""

    file_name: str

    def relevant(self) -> Mapping[str, str]:
        return {"name": self.file_name}


@dataclass(frozen=True, kw_only=True)
class CreateProject(Action[ProjectMade]):
    """Open a project: the place in which files and remembered items are kept together."""

    name: ClassVar[str] = "memory.create_project"
    effect: ClassVar[Effect] = Effect.WRITE

    title: str

    def relevant(self) -> Mapping[str, str]:
        return {"title": self.title}


@dataclass(frozen=True, kw_only=True)
class RenameProject(Action[ProjectMade]):
    """Give a project another title."""

    name: ClassVar[str] = "memory.rename_project"
    effect: ClassVar[Effect] = Effect.WRITE

    title: str

    def relevant(self) -> Mapping[str, str]:
        return {"title": self.title}


@dataclass(frozen=True, kw_only=True)
class DeleteProject(Action[ProjectGone]):
    """Erase a project with every item, file and version in it. There is no way back."""

    name: ClassVar[str] = "memory.delete_project"
    effect: ClassVar[Effect] = Effect.DELETE

    def relevant(self) -> Mapping[str, str]:
        return {"project": str(self.project)}


@dataclass(frozen=True, kw_only=True)
class UploadFile(OfOneFile, Action[FileSaved]):
    """Keep a file from outside exactly as it is: a new file, or a new version of the one with that name."""

    name: ClassVar[str] = "memory.upload_file"
    effect: ClassVar[Effect] = Effect.WRITE

    content: bytes = content()


@dataclass(frozen=True, kw_only=True)
class WriteFile(OfOneFile, Action[FileSaved]):
    """Make a text file, or a new version of it with this text.

    With `expected_version` (0: there must be none yet) it raises `Conflict` unless that is the newest version.
    """

    name: ClassVar[str] = "memory.write_file"
    effect: ClassVar[Effect] = Effect.WRITE

    text: str = content()
    expected_version: int | None = None


@dataclass(frozen=True, kw_only=True)
class EditFile(OfOneFile, Action[FileSaved]):
    """Replace the one place where `find` stands in a text file; raises `Invalid` unless it stands there exactly once."""

    name: ClassVar[str] = "memory.edit_file"
    effect: ClassVar[Effect] = Effect.WRITE

    find: str
    replace: str
    expected_version: int | None = None


@dataclass(frozen=True, kw_only=True)
class DeleteFile(OfOneFile, Action[FileGone]):
    """Take a file away. It can be restored for 30 days; then the sweep erases it."""

    name: ClassVar[str] = "memory.delete_file"
    effect: ClassVar[Effect] = Effect.DELETE


@dataclass(frozen=True, kw_only=True)
class RestoreFile(OfOneFile, Action[FileSaved]):
    """Bring back a deleted file, or make an older version the newest again.

    `version` None: the newest the file had. `file` chooses among files that had the same name.
    """

    name: ClassVar[str] = "memory.restore_file"
    effect: ClassVar[Effect] = Effect.WRITE

    version: int | None = None
    file: FileId | None = None


@dataclass(frozen=True, kw_only=True)
class EraseFile(OfOneFile, Action[FilesErased]):
    """Really remove a file and all its versions, deleted ones of that name too. There is no way back.

    With `file` only that one of the files that had the name.
    """

    name: ClassVar[str] = "memory.erase_file"
    effect: ClassVar[Effect] = Effect.DELETE

    file: FileId | None = None


@dataclass(frozen=True, kw_only=True)
class ListFiles(Action[FileList]):
    """Which files the project has now, by name."""

    name: ClassVar[str] = "memory.list_files"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class ReadFile(OfOneFile, Action[FileText]):
    """Some lines of a text file, from `start_line` (the first is 1). Bounded: see `FileText.truncated`."""

    name: ClassVar[str] = "memory.read_file"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    start_line: int = 1
    lines: int = 2000
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class SearchFiles(Action[FileHits]):
    """The lines of the project's text files that fit the query best."""

    name: ClassVar[str] = "memory.search_files"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    query: str


@dataclass(frozen=True, kw_only=True)
class TableStatistics(OfOneFile, Action[TableFacts]):
    """Exact statistics of a CSV file, computed here rather than by a model.

    `columns` chooses the columns described (none: as many as fit). `group_by` adds sums and means per value of that
    column. `numerator` and `denominator` add the ratio of the two columns' sums, over all and per group.
    """

    name: ClassVar[str] = "memory.table_statistics"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True

    group_by: str | None = None
    columns: tuple[str, ...] = ()
    numerator: str | None = None
    denominator: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep(Action[Swept]):
    """Erase what has reached its end in this organisation: files deleted 30 days ago, items past their date.

    Bounded; repeat while `Swept.more`.
    """

    name: ClassVar[str] = "memory.sweep"
    effect: ClassVar[Effect] = Effect.DELETE
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
