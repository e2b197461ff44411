"""What each tool takes, and the action it describes. The schemas here are what models are shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from joule.kernel.action import Action
from joule.kernel.ids import ItemId
from memory.actions import (
    DeleteFile,
    EditFile,
    ForgetItem,
    ListFiles,
    ReadFile,
    Recall,
    Remember,
    SearchFiles,
    TableStatistics,
    WriteFile,
)
from memory.kinds import ItemKind

Subject = Annotated[
    str,
    Field(
        description="What it is about: a word or two of the text itself, such as budget; a second item about it is asked about"
    ),
]
FileName = Annotated[str, Field(description="The file's name in the project, such as summary.md")]


class Arguments(BaseModel):
    """The arguments of a tool: what is not named here is refused."""

    model_config = ConfigDict(extra="forbid")


class NoArguments(Arguments):
    """Nothing to say."""


class ReadFileArguments(Arguments):
    """Which lines of which file."""

    file_name: FileName
    start_line: Annotated[int, Field(ge=1, description="First line, counted from 1")] = 1
    lines: Annotated[int, Field(ge=1, le=2000, description="How many lines")] = 2000


class QueryArguments(Arguments):
    """What to look for."""

    query: Annotated[str, Field(description="Words to look for")]


class TableArguments(Arguments):
    """Which table, and how to look at it."""

    file_name: FileName
    group_by: Annotated[str | None, Field(description="Column whose values form groups, such as channel")] = None
    columns: Annotated[list[str], Field(description="Columns to describe; none: as many as fit")] = []
    numerator: Annotated[str | None, Field(description="Column whose sum is divided")] = None
    denominator: Annotated[str | None, Field(description="Column whose sum it is divided by")] = None


class WriteFileArguments(Arguments):
    """Which file, and all of its new text."""

    file_name: FileName
    text: Annotated[str, Field(description="The whole text of the file")]


class EditFileArguments(Arguments):
    """Which file, and which one place in it."""

    file_name: FileName
    find: Annotated[str, Field(description="The text to replace; must stand in the file exactly once")]
    replace: Annotated[str, Field(description="What stands there afterwards")]


class FileArguments(Arguments):
    """Which file."""

    file_name: FileName


class RememberArguments(Arguments):
    """What to keep."""

    text: Annotated[str, Field(description="One short sentence, in the person's own words where they gave them")]
    kind: Annotated[ItemKind, Field(description="fact, preference or rule")] = ItemKind.FACT
    subject: Subject = ""


class RecallArguments(Arguments):
    """What to look for in memory."""

    query: Annotated[str, Field(description="Words to look for; empty: the newest")] = ""
    limit: Annotated[int, Field(ge=1, le=50)] = 10


class ForgetArguments(Arguments):
    """Which item."""

    item: Annotated[ItemId, Field(description="The id that recall gave")]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool: how models see it, and what it asks of the gate.

    `arguments` is a model of ours, or a JSON schema as somebody else wrote it; models are shown the latter as it is.
    """

    name: str
    description: str
    arguments: type[Arguments] | dict[str, Any]
    action: Callable[[Any, dict[str, Any]], Action[Any]]


def as_fields(action: Callable[..., Action[Any]]) -> Callable[[Any, dict[str, Any]], Action[Any]]:
    """The action whose fields are the tool's arguments."""

    def make(given: Arguments, shared: dict[str, Any]) -> Action[Any]:
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given}
        return action(**fields, **shared)

    return make


TOOLS: tuple[Tool, ...] = (
    Tool(
        name="list_files",
        description="Lists the project's files with their type and size.",
        arguments=NoArguments,
        action=as_fields(ListFiles),
    ),
    Tool(
        name="read_file",
        description="Reads lines of a text file of the project.",
        arguments=ReadFileArguments,
        action=as_fields(ReadFile),
    ),
    Tool(
        name="search_files",
        description="Finds the lines of the project's text files that fit some words best.",
        arguments=QueryArguments,
        action=as_fields(SearchFiles),
    ),
    Tool(
        name="table_statistics",
        description=(
            "Computes exact statistics of a CSV file: per column, per group, and the ratio of two columns. "
            "Use it for every number about a table."
        ),
        arguments=TableArguments,
        action=as_fields(TableStatistics),
    ),
    Tool(
        name="write_file",
        description="Writes a text file: a new one, or a new version of one there is. Earlier versions are kept.",
        arguments=WriteFileArguments,
        action=as_fields(WriteFile),
    ),
    Tool(
        name="edit_file",
        description="Replaces the one place where a text stands in a file.",
        arguments=EditFileArguments,
        action=as_fields(EditFile),
    ),
    Tool(
        name="delete_file",
        description="Takes a file away. It can be restored for 30 days.",
        arguments=FileArguments,
        action=as_fields(DeleteFile),
    ),
    Tool(
        name="remember",
        description=(
            'Keeps one short sentence for later conversations in this project. Where it answers "state": "proposed", '
            "nothing is remembered until a person agrees."
        ),
        arguments=RememberArguments,
        action=as_fields(Remember),
    ),
    Tool(
        name="recall",
        description="Finds what is remembered in this project.",
        arguments=RecallArguments,
        action=as_fields(Recall),
    ),
    Tool(
        name="forget",
        description="Erases one remembered item by its id. There is no way back.",
        arguments=ForgetArguments,
        action=as_fields(ForgetItem),
    ),
)
