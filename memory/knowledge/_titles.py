"""Checks and normalises the titles of documents, and what a title's ending says of the bytes. Pure."""

import re
import unicodedata
from pathlib import PurePosixPath

from memory._cards import refuse_card_numbers
from memory.errors import BadName
from memory.kinds import MediaType

LONGEST = 200
_INVISIBLE = re.compile("[\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_SAID = {
    ".pdf": MediaType.PDF,
    ".docx": MediaType.DOCX,
    ".pptx": MediaType.PPTX,
    ".xlsx": MediaType.XLSX,
    ".html": MediaType.HTML,
    ".htm": MediaType.HTML,
    ".csv": MediaType.CSV,
    ".tsv": MediaType.CSV,
    ".md": MediaType.MARKDOWN,
    ".markdown": MediaType.MARKDOWN,
    ".txt": MediaType.TEXT,
    ".json": MediaType.JSON,
}
READABLE = frozenset(_SAID.values())


def title(given: str) -> str:
    """A document's title: one visible line. Raises `BadName` or `CardNumber`."""
    line = " ".join(unicodedata.normalize("NFC", given).split())
    try:
        line.encode()
    except UnicodeEncodeError:
        raise BadName("the title contains half a character", advice="Type the title again by hand.") from None
    if not line:
        raise BadName("a document needs a title", advice="Give it a title such as Spring campaign brief.")
    if any(unicodedata.category(sign) == "Cc" for sign in line) or _INVISIBLE.search(line):
        raise BadName("a title cannot contain invisible characters", advice="Type the title again by hand.")
    if len(line) > LONGEST:
        raise BadName(f"a title has at most {LONGEST} characters", advice="Choose a shorter title.")
    refuse_card_numbers(line)
    return line


def another(name: str, number: int) -> str:
    """The same title told apart by a number, before the ending if it has one."""
    path = PurePosixPath(name)
    ending = path.suffix if path.suffix.lower() in _SAID else ""
    stem = name[: len(name) - len(ending)]
    mark = f" ({number})"
    return f"{stem[: LONGEST - len(mark) - len(ending)]}{mark}{ending}"


def lies(name: str, kind: MediaType) -> bool:
    """Whether the ending of the title says another kind than the bytes are. One kind of text may pass for another."""
    said = _SAID.get(PurePosixPath(name).suffix.lower())
    return said is not None and said is not kind and not (said.is_text and kind.is_text)
