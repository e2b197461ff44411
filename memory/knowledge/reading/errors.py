"""Why a document cannot be read. No message carries a name or a word of it.

Invalid
└── Unreadable           of a document; `unreadable(code)` gives the leaf of a stored code
    ├── Encrypted        it needs a password
    ├── Scanned          pictures of pages, no text
    ├── Broken           the bytes are not what the format says
    ├── Empty            there is no text in it
    ├── WrongType        the bytes are of another kind than was said
    ├── NotReadable      a kind of file nothing is read from
    ├── TooManyPages, TooLong, Bomb, TookTooLong, TookTooMuch     past a limit
    └── GaveUp           every try was broken off
Unavailable
└── ReadingUnavailable   no process can be shut in here, so nothing is read at all
"""

from typing import ClassVar

from joule.kernel.errors import Invalid, Unavailable


class Unreadable(Invalid):
    """A document that cannot be read. The leaf says why."""

    code = "memory.unreadable"
    problem: ClassVar[str] = "the document cannot be read"
    cure: ClassVar[str] = "Save it again with the program it comes from and upload the new file."

    def __init__(self) -> None:
        super().__init__(self.problem, advice=self.cure)


class Encrypted(Unreadable):
    """It needs a password."""

    code = "memory.document_encrypted"
    problem = "the document is protected with a password"
    cure = "Save a copy without the password and upload that."


class Scanned(Unreadable):
    """Pictures of pages, no text."""

    code = "memory.document_scanned"
    problem = "the document consists of pictures of pages and has no text"
    cure = "Run text recognition (OCR) over it, for example with your scanner's program, and upload the result."


class Broken(Unreadable):
    """The bytes are not what the format says."""

    code = "memory.document_broken"
    problem = "the file is damaged or incomplete"
    cure = "Open it in the program it comes from, save it again and upload the new file."


class Empty(Unreadable):
    """There is no text in it."""

    code = "memory.document_empty"
    problem = "there is no text in the document"
    cure = "Check that it is the right file; a document needs some text to be searched."


class WrongType(Unreadable):
    """The bytes are of another kind than was said."""

    code = "memory.document_wrong_type"
    problem = "the content of the file is of another kind than its name says"
    cure = "Give the file the ending of what it really is, or save it again in the format you meant."


class NotReadable(Unreadable):
    """A kind of file nothing is read from."""

    code = "memory.document_not_readable"
    problem = "text cannot be read from this kind of file"
    cure = "Upload PDF, Word (docx), PowerPoint (pptx), Excel (xlsx), HTML, CSV, Markdown or plain text."


class TooManyPages(Unreadable):
    """More pages than are read."""

    code = "memory.document_too_many_pages"
    problem = "the document has too many pages"
    cure = "Split it and upload the parts you need."


class TooLong(Unreadable):
    """More text than is kept of one document."""

    code = "memory.document_too_long"
    problem = "the document has too much text"
    cure = "Split it and upload the parts you need."


class Bomb(Unreadable):
    """Unpacks to far more than it is."""

    code = "memory.document_bomb"
    problem = "the file unpacks to far more than a document may have"
    cure = "Check where it comes from. If it is yours, take large pictures out, or split it, and upload it again."


class TookTooLong(Unreadable):
    """Reading took more time than a document may take."""

    code = "memory.document_took_too_long"
    problem = "reading the document took too long"
    cure = "Split it, or save it in a simpler form (plain PDF or text), and upload that."


class TookTooMuch(Unreadable):
    """Reading took more memory than a document may take."""

    code = "memory.document_took_too_much"
    problem = "reading the document took too much memory"
    cure = "Split it, or save it in a simpler form (plain PDF or text), and upload that."


class GaveUp(Unreadable):
    """Every try to read it was broken off."""

    code = "memory.document_gave_up"
    problem = "reading the document was broken off several times"
    cure = "Try again with the button; if it happens once more, split the document or give support its address."


class ReadingUnavailable(Unavailable):
    """No process can be shut in on this machine, so nothing is read at all."""

    code = "memory.reading_unavailable"


LEAVES: tuple[type[Unreadable], ...] = (
    *(Encrypted, Scanned, Broken, Empty, WrongType, NotReadable),
    *(TooManyPages, TooLong, Bomb, TookTooLong, TookTooMuch, GaveUp),
)
_BY_CODE = {leaf.code: leaf for leaf in LEAVES}


def unreadable(code: str) -> Unreadable:
    """The error of a stored code, with its words and advice; an unknown code is `Broken`."""
    return _BY_CODE.get(code, Broken)()
