"""How much one task may use. Counting is by what is recorded, so a resumed task does not start from nothing."""

from joule.kernel.errors import LimitReached
from joule.kernel.settings import TaskSettings
from joule.llm.actions import Generation


class Limits:
    """Counts one task's steps, tokens and spend, and says when it is enough."""

    def __init__(self, settings: TaskSettings) -> None:
        self._allowed = settings
        self._tokens = 0
        self._spend = 0

    def check(self, step: int) -> None:
        """Raise `LimitReached` unless one more model call is within the limits."""
        if step >= self._allowed.max_steps:
            raise LimitReached("steps", self._allowed.max_steps)
        if self._tokens >= self._allowed.max_tokens:
            raise LimitReached("tokens", self._allowed.max_tokens)
        if 0 < self._allowed.max_spend_micros <= self._spend:
            raise LimitReached("millionths of spend", self._allowed.max_spend_micros)

    def count(self, answer: Generation) -> None:
        """Count what an answer used."""
        self._tokens += answer.input_tokens + answer.output_tokens
        self._spend += answer.spend_micros
