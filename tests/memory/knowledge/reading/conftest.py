"""Documents read here and now, through everything but the process of their own; and how to look at them."""

import json
from collections.abc import Callable

import pytest

from memory._content import media_type
from memory.kinds import MediaType
from memory.knowledge.reading import _answer, _formats
from memory.knowledge.reading._wire import told
from memory.knowledge.reading.model import Limits, Mark, Parsed

Read = Callable[..., Parsed]
HEADINGS = [("Spring launch",), ("Audience",)]


def seen(parsed: Parsed) -> str:
    return "\n".join(part.text for part in parsed.parts if Mark.HIDDEN not in part.marks)


def hidden(parsed: Parsed) -> str:
    return "\n".join(part.text for part in parsed.parts if Mark.HIDDEN in part.marks)


def headings(parsed: Parsed) -> list[tuple[str, ...]]:
    return [part.heading for part in parsed.parts if part.is_heading]


@pytest.fixture(scope="session")
def read() -> Read:
    """`read(content)`: the document, as the shut-in process would read it and the other side take it."""

    def reading(content: bytes, *, kind: MediaType | None = None, limits: Limits | None = None) -> Parsed:
        limits = limits or Limits()
        kind = kind or media_type("", content)
        parsed = _formats.prepared(kind.value, limits)(content, limits)
        return _answer.accepted(json.dumps(told(parsed), ensure_ascii=False).encode("utf-8", "replace"), limits)

    return reading
