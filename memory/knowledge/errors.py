"""What can be wrong with documents. No message carries a title or a word of content.

Invalid
├── CutOff          fewer or more bytes came than were announced
├── NotADocument    bytes of a kind that is never read
└── StillUnread     a document that has no text yet
Conflict
└── TitleTaken      another document of the project has this title
NotFound
└── Gone            what it comes from was deleted: nothing of it is kept again
"""

from joule.kernel.errors import Conflict, Invalid, NotFound


class CutOff(Invalid):
    """The upload did not arrive whole."""

    code = "memory.cut_off"

    def __init__(self, *, expected: int, came: int) -> None:
        super().__init__(
            f"{came} of {expected} bytes arrived; nothing was kept", advice="Upload the file again; it broke off."
        )
        self.expected, self.came = expected, came


class NotADocument(Invalid):
    """Bytes of a kind that is never read as a document."""

    code = "memory.not_a_document"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this is {what}, which cannot be read as a document",
            advice="Upload a PDF, Word, PowerPoint, Excel, HTML, CSV, Markdown or text file. Keep others as files.",
        )


class StillUnread(Invalid):
    """There is no text yet: it is queued, being read, or could not be read."""

    code = "memory.still_unread"

    def __init__(self) -> None:
        super().__init__(
            "this document has no text yet", advice="Wait until it is ready, or look at its page to see what is wrong."
        )


class TitleTaken(Conflict):
    """Another document of the project has this title."""

    code = "memory.title_taken"

    def __init__(self) -> None:
        super().__init__("document title")

    def advice(self) -> str:
        return "Choose another title; another document of this project has this one."


class Gone(NotFound):
    """What it comes from was deleted, so nothing made from it is kept again."""

    code = "memory.gone"

    def __init__(self) -> None:
        super().__init__("source any more")

    def advice(self) -> str:
        return "What this was made from has been deleted. Add it again as something new if it is still needed."
