"""An embedding model of few words: texts that share them are near each other. Deterministic, and quick."""

import hashlib
import math
from collections.abc import Awaitable, Callable, Sequence

from joule.kernel.label import Label
from joule.kernel.principal import Principal
from memory.knowledge.embedding.base import DIMENSIONS, Aim, Vector
from memory.knowledge.embedding.errors import EmbeddingUnavailable


class Wordy:
    """Adds up a direction for each word. `away`: it does not answer."""

    dimensions = DIMENSIONS

    def __init__(self, model: str = "wordy@1") -> None:
        self.model = model
        self.away = False
        self.asked = 0  # batches of passages
        self.before_answering: Callable[[int], Awaitable[None]] | None = None  # is told which batch it is

    async def embed(
        self, texts: Sequence[str], *, purpose: Aim, principal: Principal, label: Label
    ) -> tuple[Vector, ...]:
        if self.away:
            raise EmbeddingUnavailable
        if purpose is Aim.PASSAGE:
            self.asked += 1
            if self.before_answering is not None:
                await self.before_answering(self.asked)
        return tuple(map(_vector, texts))


def _vector(text: str) -> Vector:
    parts = [0.01] * DIMENSIONS
    for word in text.lower().split():
        parts[int.from_bytes(hashlib.sha256(word.strip(".,?!").encode()).digest()[:2]) % DIMENSIONS] += 1.0
    length = math.sqrt(sum(part * part for part in parts))
    return tuple(part / length for part in parts)
