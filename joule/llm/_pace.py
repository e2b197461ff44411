"""Passes an answer's text on while it grows: the first piece at once, then in pieces worth showing.

Each piece becomes a journal row and an event in the browser, so a word at a time would be waste.
"""

from collections.abc import Callable

from joule.kernel.permit import Progress

TICK = 0.06  # seconds: about as fast as an eye notices
SENTENCE = 40  # characters a sentence needs to be passed on early
MOST = 400  # characters that are never held back

_ENDS = (".", "!", "?", ":", "\n")


class Pace:
    """Text on its way to the person."""

    def __init__(self, *, progress: Progress, seconds: Callable[[], float]) -> None:
        """`seconds` is a clock that only moves forward; it decides when a piece is due, nothing else."""
        self._progress, self._seconds = progress, seconds
        self._held: list[str] = []
        self._size = 0
        self._passed_at: float | None = None

    @property
    def has_spoken(self) -> bool:
        """Whether the person has seen anything of this answer."""
        return self._passed_at is not None

    async def say(self, text: str) -> None:
        if not text:
            return
        self._held.append(text)
        self._size += len(text)
        if self._is_due(text):
            await self.flush()

    async def flush(self) -> None:
        """Pass on what is held back."""
        if not self._held:
            return
        text = "".join(self._held)
        self._held.clear()
        self._size = 0
        self._passed_at = self._seconds()
        await self._progress(text)

    def _is_due(self, text: str) -> bool:
        if self._passed_at is None or self._size >= MOST:
            return True
        if self._size >= SENTENCE and text.rstrip(" ").endswith(_ENDS):
            return True
        return self._seconds() - self._passed_at >= TICK
