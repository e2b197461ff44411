"""The model in memory: all-MiniLM-L6-v2 with int8 weights, from texts to vectors. Only `_child` loads it.

Weights and tokenizer are pinned by hash, and looked at before they are used: another file would give vectors that fit
none that are stored. What is imported here takes a quarter of a gigabyte, so nobody else imports it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory.knowledge.embedding.errors import EmbeddingUnavailable, WeightsChanged
from memory.knowledge.embedding.pinned import MAX_TOKENS, TOKENIZER_SHA256, WEIGHTS_SHA256


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The model: from token ids and their mask to one row per text."""

    tokenizer: Any
    run: Callable[[Any, Any], Any]

    def vectors(self, texts: Sequence[str]) -> bytes:
        """The mean of each text's tokens, at length 1, as the model was trained to be read: floats of 32 bits."""
        import numpy

        encodings = self.tokenizer.encode_batch(list(texts))
        ids = numpy.array([each.ids for each in encodings], dtype=numpy.int64)
        mask = numpy.array([each.attention_mask for each in encodings], dtype=numpy.int64)
        weights = mask[..., None].astype(numpy.float32)
        pooled = (self.run(ids, mask) * weights).sum(axis=1) / weights.sum(axis=1)
        pooled /= numpy.linalg.norm(pooled, axis=1, keepdims=True)
        return bytes(pooled.astype("<f4").tobytes())


def load(weights: Path, tokenizer: Path) -> Loaded:
    """Raises `WeightsChanged` when a file is not the pinned one, `EmbeddingUnavailable` when one or a package is gone."""
    model = _checked(weights, WEIGHTS_SHA256, "model.onnx")
    written = _checked(tokenizer, TOKENIZER_SHA256, "tokenizer.json")
    try:
        import numpy
        import onnxruntime  # type: ignore[import-untyped,unused-ignore]
        import tokenizers
    except ImportError:
        raise EmbeddingUnavailable from None
    reading = tokenizers.Tokenizer.from_str(written.decode())
    reading.enable_truncation(max_length=MAX_TOKENS)
    reading.enable_padding()  # with token 0, "[PAD]"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # says nothing: a warning may quote what it worked on
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # would keep the largest batch's memory for ever
    session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    wanted = {each.name for each in session.get_inputs()}

    def run(ids: Any, mask: Any) -> Any:
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        return session.run(None, {name: value for name, value in given.items() if name in wanted})[0]

    return Loaded(tokenizer=reading, run=run)


def _checked(path: Path, sha256: str, name: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError:
        raise EmbeddingUnavailable from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise WeightsChanged(name)
    return content
