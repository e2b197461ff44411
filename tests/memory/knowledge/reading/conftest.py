"""Documents read here and now, through everything but the process of their own."""

import json
from collections.abc import Callable

import pytest

from memory._content import media_type
from memory.kinds import MediaType
from memory.knowledge.reading import _answer, _formats
from memory.knowledge.reading._wire import told
from memory.knowledge.reading.model import Limits, Parsed

Read = Callable[..., Parsed]


@pytest.fixture(scope="session")
def read() -> Read:
    """`read(content)`: the document, as the shut-in process would read it and the other side take it."""

    def reading(content: bytes, *, kind: MediaType | None = None, limits: Limits | None = None) -> Parsed:
        limits = limits or Limits()
        kind = kind or media_type("", content)
        parsed = _formats.prepared(kind.value, limits)(content, limits)
        return _answer.accepted(json.dumps(told(parsed), ensure_ascii=False).encode("utf-8", "replace"), limits)

    return reading
