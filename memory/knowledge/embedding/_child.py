"""The program that embeds: loads the model, shuts itself in, then answers one batch of texts after the other.

Started by `minilm.MiniLM` as a file, with no environment, with the files of the model as its arguments. A question is
a length of eight bytes and that much JSON, a list of texts; an answer is a length and what `_frames` says. Ends when
nothing more can come.
"""

import json
import os
import sys
from pathlib import Path

os.environ.update(TOKENIZERS_PARALLELISM="false", OPENBLAS_NUM_THREADS="1")  # where it is shut in, no thread starts
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # our own tree before any other that is installed

from memory.knowledge import _confine
from memory.knowledge.embedding import _frames, _model
from memory.knowledge.embedding.errors import EmbeddingUnavailable, WeightsChanged

_MEMORY_BYTES = 1_500_000_000  # of addresses; the model itself has 350 MB of them
_SECONDS = 1_800  # of the processor, in a whole life; whoever asks then starts another


def main() -> None:
    """Load, be shut in, answer until nobody asks any more."""
    loaded: _model.Loaded | None = None
    problem = _frames.AWAY
    try:
        loaded = _model.load(Path(sys.argv[1]), Path(sys.argv[2]))
        loaded.vectors(["word"])  # whatever is loaded late is loaded now
    except WeightsChanged as known:
        problem = _frames.CHANGED[known.name]
    except EmbeddingUnavailable:
        pass
    _confine.shut_in(memory_bytes=_MEMORY_BYTES, seconds=_SECONDS, listens=True)
    _say(_confine.SHUT_IN)
    while (length := _taken(8)) is not None and (asked := _taken(int.from_bytes(length, "big"))) is not None:
        answer = problem if loaded is None else _answered(loaded, asked)
        _say(len(answer).to_bytes(8, "big") + answer)


def _answered(loaded: _model.Loaded, asked: bytes) -> bytes:
    try:
        return _frames.VECTORS + loaded.vectors(json.loads(asked))
    except Exception:  # noqa: BLE001 - two native libraries, whose messages may quote the text
        return _frames.AWAY


def _taken(length: int) -> bytes | None:
    """That much of what is asked; None when it ends before."""
    taken = bytearray()
    while len(taken) < length:
        more = os.read(0, length - len(taken))
        if not more:
            return None
        taken += more
    return bytes(taken)


def _say(answer: bytes) -> None:
    left = memoryview(answer)
    while left:
        left = left[os.write(1, left) :]


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing to tidy
