"""What the process with the model answers to a batch: one sign, and behind it the vectors, if there are any.

Pure. The process may have been taken over by a text it read: what it says is checked like anybody's.
"""

import math
from array import array
from sys import byteorder

from memory.knowledge.embedding.base import DIMENSIONS, Vector
from memory.knowledge.embedding.errors import EmbeddingUnavailable, WeightsChanged

VECTORS, AWAY = b"v", b"a"
CHANGED = {"model.onnx": b"m", "tokenizer.json": b"t"}  # which file is not the pinned one
_FLOAT = 4  # bytes
_OFF = 1e-3  # how far from 1 the length of a vector may be


def most_bytes(texts: int) -> int:
    """How long an answer about that many texts is, at most."""
    return len(VECTORS) + texts * DIMENSIONS * _FLOAT


def accepted(answer: bytes, *, texts: int) -> tuple[Vector, ...]:
    """The vectors, one for each text. Raises `WeightsChanged`, or `EmbeddingUnavailable` for whatever else it is."""
    sign = answer[:1]
    for name, said in CHANGED.items():
        if sign == said:
            raise WeightsChanged(name)
    if sign != VECTORS or len(answer) != most_bytes(texts):
        raise EmbeddingUnavailable
    numbers = array("f", answer[1:])
    if byteorder == "big":
        numbers.byteswap()
    vectors = tuple(tuple(numbers[at : at + DIMENSIONS]) for at in range(0, len(numbers), DIMENSIONS))
    if not all(abs(math.hypot(*vector) - 1) < _OFF for vector in vectors):  # nor is one that is no number
        raise EmbeddingUnavailable
    return vectors
