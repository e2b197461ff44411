"""What can be wrong with documents. No message carries a title or a word of content.

Invalid
├── CutOff          fewer or more bytes came than were announced
├── NotADocument    bytes of a kind that is never read
├── StillUnread     a document that has no text yet
├── OriginalGone    the bytes it came as were not kept
└── TooLongToBring  a document at a provider that its answers cannot hold whole
Conflict
└── TitleTaken      another document of the project has this title
"""

from joule.kernel.errors import Conflict, Invalid


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


class OriginalGone(Invalid):
    """The bytes it came as were not kept: they held full payment card numbers, which are never stored."""

    code = "memory.original_gone"

    def __init__(self) -> None:
        super().__init__(
            "the original of this document was not kept, because it holds full payment card numbers",
            advice="Take the numbers out and upload it again. Its text, with the numbers covered, is still here.",
        )


class TooLongToBring(Invalid):
    """A document at a provider that its answers cannot hold whole. Nothing of it was kept."""

    code = "memory.too_long_to_bring"

    def __init__(self) -> None:
        super().__init__(
            "the document is too long to be brought in whole", advice="Download it there and add it as a file."
        )


class TitleTaken(Conflict):
    """Another document of the project has this title."""

    code = "memory.title_taken"

    def __init__(self) -> None:
        super().__init__("document title")

    def advice(self) -> str:
        return "Choose another title; another document of this project has this one."
