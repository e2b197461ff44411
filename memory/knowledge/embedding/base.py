"""What the knowledge base needs of an embedding model.

Vectors of two models are never compared: every stored vector names its `model`, and a search asks only for those of
the model that embedded the question.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from joule.kernel.label import Label
from joule.kernel.principal import Principal

DIMENSIONS = 384  # of every stored vector: `chunk_vector.vector` is a halfvec(384)

Vector = tuple[float, ...]


class Aim(StrEnum):
    """What a vector is for; some models embed a question differently from a passage."""

    PASSAGE = "passage"
    QUERY = "query"


class Embedder(Protocol):
    """One embedding model."""

    @property
    def model(self) -> str:
        """`name@version`, as it stands beside each vector; changes whenever its vectors would."""
        ...

    @property
    def dimensions(self) -> int:
        """How long a vector is: `DIMENSIONS`."""
        ...

    async def embed(
        self, texts: Sequence[str], *, purpose: Aim, principal: Principal, label: Label
    ) -> tuple[Vector, ...]:
        """One vector of length 1 for each text, in order; a text longer than the model reads is cut.

        `principal` and `label` are those of the action the texts belong to: a model elsewhere is asked through the
        gate on their account. Never call it inside a transaction. Raises `Unavailable` when the model cannot be asked.
        """
        ...
