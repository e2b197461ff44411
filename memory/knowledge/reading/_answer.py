"""Takes the answer of the shut-in process apart as if an attacker had written it, for one may have.

Pure. Everything is bounded and checked, the text is cleaned of what people cannot see, and places are counted here.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from memory.knowledge.reading.errors import (
    Broken,
    Empty,
    TooLong,
    TooManyPages,
    unreadable,
)
from memory.knowledge.reading.model import Block, Limits, Mark, Parsed, ReadingWarning, assembled

MAX_HEADING = 300  # characters of one heading
MAX_PATH = 8  # headings above a part
MAX_TITLE = 200

_Text = Annotated[str, Field(max_length=2**26)]
_DISGUISE = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e01ef\ufff9-\ufffb]")
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u2060-\u2064\ufeff\ufffe\uffff\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANKS = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_GAPS = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


class _Failed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    error: Annotated[str, Field(max_length=80)]


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    blocks: list[tuple[_Text, Annotated[int, Field(ge=1)] | None, Annotated[int, Field(ge=0)], list[str]]]
    paths: list[list[_Text]]
    pages: Annotated[int, Field(ge=0)] | None
    title: _Text | None
    warnings: Annotated[list[str], Field(max_length=100)]


_SHAPES: TypeAdapter[_Read | _Failed] = TypeAdapter(_Read | _Failed)


def most_bytes(limits: Limits) -> int:
    """The longest answer that can still be within the limits."""
    return 65_536 + 5 * limits.characters + 100 * limits.parts


def accepted(answer: bytes, limits: Limits) -> Parsed:
    """What was read. Raises what the process said went wrong, or `Broken` when it does not speak as agreed."""
    try:
        given = _SHAPES.validate_json(answer)
        if isinstance(given, _Failed):
            raise unreadable(given.error)
        return _checked(given, limits)
    except (ValidationError, ValueError, IndexError, RecursionError):
        raise Broken from None


def cleaned(text: str) -> str:
    """The text without signs that cannot be seen, in one form of Unicode, with plain blanks and line ends."""
    if text.isascii() and not _CONTROL.search(text):
        return _GAPS.sub("\n\n", text).strip()
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _CONTROL.sub(" ", _BLANKS.sub(" ", _UNSEEN.sub("", _DISGUISE.sub("", text))))
    return _GAPS.sub("\n\n", text).strip()


def _checked(given: _Read, limits: Limits) -> Parsed:
    if given.pages is not None and given.pages > limits.pages:
        raise TooManyPages
    if len(given.blocks) > limits.parts:
        raise TooLong
    warnings = [ReadingWarning(word) for word in given.warnings]
    if any(_DISGUISE.search(text) for text, *_ in given.blocks):
        warnings.append(ReadingWarning.INVISIBLE_CHARACTERS)
    blocks = list(_blocks(given))
    if any(Mark.HIDDEN in block.marks for block in blocks):
        warnings.append(ReadingWarning.HIDDEN_TEXT)
    if sum(len(block.text) for block in blocks) > limits.characters:
        raise TooLong
    if not any(block.text for block in blocks):
        raise Empty
    title = _line(given.title or "", MAX_TITLE) or None
    return assembled(blocks, pages=given.pages, title=title, warnings=warnings)


def _blocks(given: _Read) -> Iterator[Block]:
    paths = [
        tuple(line for heading in path[:MAX_PATH] if (line := _line(heading, MAX_HEADING))) for path in given.paths
    ]
    last = given.pages or 0
    for text, page, path, marks in given.blocks:
        if page is not None and page > last:
            raise Broken
        yield Block(text=cleaned(text), page=page, heading=paths[path], marks=frozenset(map(Mark, marks)))


def _line(text: str, most: int) -> str:
    return " ".join(cleaned(text).split())[:most].rstrip()
