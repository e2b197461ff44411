"""What can be wrong with files and remembered items. No message carries a name or a word of content.

Invalid
├── BadName          a file name or title that cannot be kept
├── BadText          a text that cannot be kept
├── TooMuch          past a limit of this room
├── NotText          a file that cannot be read as lines
├── NotATable        a file whose table cannot be read
├── NoSuchColumn     a column the table does not have
├── NoUniqueMatch    the text to replace is not there exactly once
├── CardNumber       a full payment card number, which is never stored
├── SourceGone       what it was made from has been erased
├── NotQuoted        a quotation that does not stand where it is said to stand
├── Declined         a person has said that it shall not be remembered
└── MemoryOff        memory is switched off here
"""

from joule.kernel.errors import Invalid


class BadName(Invalid):
    """A file name or title that cannot be kept."""

    code = "memory.bad_name"


class BadText(Invalid):
    """A text that cannot be kept."""

    code = "memory.bad_text"


class TooMuch(Invalid):
    """Past a limit of this room."""

    code = "memory.too_much"


class NotText(Invalid):
    """A file that cannot be read as lines of text."""

    code = "memory.not_text"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this file is {what}, not text",
            advice="Add it on the project's Knowledge page to have it read there, or upload it again as CSV, Markdown or text.",
        )


class NotATable(Invalid):
    """A file whose table cannot be read."""

    code = "memory.not_a_table"


class NoSuchColumn(Invalid):
    """A column the table does not have."""

    code = "memory.no_such_column"

    def __init__(self) -> None:
        super().__init__(
            "the table has no column of that name",
            advice="Ask for the statistics without naming columns first, to see what they are called.",
        )


class NoUniqueMatch(Invalid):
    """The text to replace is not there exactly once."""

    code = "memory.no_unique_match"

    def __init__(self, matches: int) -> None:
        super().__init__(
            f"the text to replace stands {matches} times in the file; it has to stand there exactly once",
            advice="Read the file and give more of the text around the place."
            if matches
            else "Read the file and copy the text exactly as it stands there, blanks and line breaks included.",
        )
        self.matches = matches


class CardNumber(Invalid):
    """A full payment card number, which is never stored."""

    code = "memory.card_number"

    def __init__(self) -> None:
        super().__init__(
            "this contains what looks like a full payment card number",
            advice="Leave the number out, or keep its last four digits only.",
        )


class SourceGone(Invalid):
    """What something was made from has been erased, so nothing is kept from it any more."""

    code = "memory.source_gone"

    def __init__(self) -> None:
        super().__init__(
            "what this was made from has been deleted",
            advice="Add it again if it should be used; what was deleted is not brought back.",
        )


class NotQuoted(Invalid):
    """A text that does not stand in the document, and the place of it, that it is said to be quoted from."""

    code = "memory.not_quoted"

    def __init__(self) -> None:
        super().__init__(
            "the text does not stand where it is said to stand",
            advice="Quote one sentence of the passage word for word, with the document, start and end of that passage.",
        )


class Declined(Invalid):
    """A person has declined or forgotten this text, so the agent does not bring it back."""

    code = "memory.declined"

    def __init__(self) -> None:
        super().__init__(
            "a person has said that this shall not be remembered",
            advice="Add it on the memory page if it should be remembered after all.",
        )


class MemoryOff(Invalid):
    """Memory is switched off in this project or conversation."""

    code = "memory.off"

    def __init__(self) -> None:
        super().__init__(
            "memory is switched off here",
            advice="Switch it on, on the project's memory page, if things should be remembered.",
        )
