"""Hears what is logged while a test runs, at DEBUG and by the libraries that hold tokens, and knows a token by its looks.

Every test of the suite is held to it: whatever a test connects, calls or breaks, no log line may hold a token. A test that
logs one on purpose, to show that it would be noticed, is marked `logs_tokens`.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

TALKATIVE = ("authlib", "httpx2", "httpcore2", "mcp", "integrations", "joule", "traces", "memory")
_TOKEN = re.compile(
    r"canary-(?:access|refresh|lasting|client|secret|code)"  # what the providers of these tests issue
    r"|Bearer\s+[\w.~+/-]{12,}"
    r"|(?:access_token|refresh_token|client_secret|code_verifier|id_token)[\"']?\s*[:=]\s*[\"']?[\w.~+/-]{12,}"
)


@dataclass(kw_only=True)
class Heard:
    """Which loggers said something that looks like a token. The token itself is not kept."""

    by: list[str] = field(default_factory=list)


class _Ear(logging.Handler):
    def __init__(self, heard: Heard) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        try:
            words = self.format(record)
        except (TypeError, ValueError):  # what cannot be written is written nowhere
            return
        if _TOKEN.search(words):
            self._heard.by.append(f"{record.name} at {record.levelname}, {record.module}:{record.lineno}")


@contextmanager
def listening() -> Iterator[Heard]:
    """What is heard until the end of the block."""
    heard, root = Heard(), logging.getLogger()
    ear = _Ear(heard)
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    before = [each.level for each in loggers]
    root.addHandler(ear)
    for each in loggers:
        each.setLevel(logging.DEBUG if each.level == logging.NOTSET else each.level)  # a hush that is on stays on
    try:
        yield heard
    finally:
        root.removeHandler(ear)
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
