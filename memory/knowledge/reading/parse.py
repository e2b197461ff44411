"""Reads documents, each in a process of its own that can neither open files nor reach a network.

What comes back from that process is treated as an attacker's: bounded, checked, cleaned.
"""

from memory.kinds import MediaType
from memory.knowledge.reading.model import Limits, Parsed


class Reader:
    """Reads documents, a few at a time."""

    def __init__(self, *, at_once: int = 2) -> None:
        self._at_once = at_once

    async def read(self, content: bytes, *, media_type: MediaType, limits: Limits = Limits()) -> Parsed:  # noqa: B008
        """The document as text. Raises a leaf of `Unreadable`, or `ReadingUnavailable`."""
        raise NotImplementedError
