"""What a person can want of the offline model. One class each, with the words they used."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ListFiles:
    """Which files there are; with `matching`, only those whose names fit."""

    matching: str = ""


@dataclass(frozen=True, kw_only=True)
class SearchFiles:
    """Where something stands in the files."""

    query: str


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """Show a file. `question`: the words, when they may as well ask for something a document says."""

    file: str
    question: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Summarise:
    """The gist of files; of a table, what worked. No file named: the one that is meant is looked for."""

    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """A question about the numbers of a table, in the person's words."""

    question: str
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart of a table's columns, or a workbook with their numbers, or both: made by code."""

    question: str
    file: str = ""
    chart: bool = True
    workbook: bool = False


@dataclass(frozen=True, kw_only=True)
class SaveThat:
    """Keep what this message's other wishes, or the last answer, produced."""

    file: str


@dataclass(frozen=True, kw_only=True)
class WriteFile:
    """Keep exactly this text as a file; `adding` puts it at the end of what is there."""

    file: str
    text: str
    adding: bool = False


@dataclass(frozen=True, kw_only=True)
class EditFile:
    """Put one text in the place of another."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True, kw_only=True)
class DeleteFile:
    """Take a file away."""

    file: str


@dataclass(frozen=True, kw_only=True)
class Remember:
    """Keep this for later tasks, word for word."""

    text: str
    kind: Literal["rule", "preference", "fact"] = "fact"


@dataclass(frozen=True, kw_only=True)
class Recall:
    """What is remembered about something; about nothing in particular: the newest."""

    query: str = ""


@dataclass(frozen=True, kw_only=True)
class Forget:
    """Let go of what is remembered about something; `whole`: of all that fits."""

    query: str
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class AskKnowledge:
    """A question the knowledge base may answer. `named`: the person spoke of the knowledge base themselves."""

    question: str
    named: bool = False


@dataclass(frozen=True, kw_only=True)
class ProposeThat:
    """Put what the knowledge base just answered before the person, to be remembered once they agree."""


@dataclass(frozen=True, kw_only=True)
class ListDocuments:
    """Which documents the knowledge base has."""


@dataclass(frozen=True, kw_only=True)
class ListAccounts:
    """Which accounts are connected, and what can be asked of them."""


@dataclass(frozen=True, kw_only=True)
class AskAccount:
    """A look at something in a connected account, or how many there are."""

    account: str
    question: str
    counts: bool = False


@dataclass(frozen=True, kw_only=True)
class DoAtAccount:
    """Something to be done through a connected account, in the person's words."""

    account: str
    order: str


@dataclass(frozen=True, kw_only=True)
class Help:
    """What can be asked."""


Wish = (
    ListFiles
    | SearchFiles
    | ReadFile
    | Summarise
    | Statistics
    | Chart
    | SaveThat
    | WriteFile
    | EditFile
    | DeleteFile
    | Remember
    | Recall
    | Forget
    | AskKnowledge
    | ListDocuments
    | ProposeThat
    | ListAccounts
    | AskAccount
    | DoAtAccount
    | Help
)
