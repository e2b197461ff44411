"""The embedding model that comes along: what its vectors are good for, that it is the one it should be, and that its
process is there only while it is needed."""

import asyncio
import os
import sys
from array import array
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from joule.kernel.ids import OrgId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from memory.knowledge._confine import SHUT_IN
from memory.knowledge.embedding import _frames, minilm
from memory.knowledge.embedding.base import DIMENSIONS, Aim, Vector
from memory.knowledge.embedding.errors import EmbeddingUnavailable, WeightsChanged
from memory.knowledge.embedding.minilm import MiniLM, installed
from memory.knowledge.embedding.pinned import TOKENIZER
from memory.knowledge.retrieval import asked

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the model's process belongs to the loop that started it

ROOT = str(Path(__file__).resolve().parents[3])
SYSTEM = Principal(org=OrgId(new_id()), person=None, role=Role.SYSTEM, via=Via.SYSTEM)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[MiniLM]:
    """One for all: loading it is what takes time."""
    found = installed()
    assert found is not None
    yield found
    await found.close()


async def embed(model: MiniLM, *texts: str) -> tuple[Vector, ...]:
    return await model.embed(texts, purpose=Aim.PASSAGE, principal=SYSTEM, label=Label())


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_what_means_the_same_lies_near_and_what_does_not_lies_far(model: MiniLM) -> None:
    question, answer, other = await embed(
        model, "When will I get my money back?", "Refunds are paid within ten days.", "The logo is never tilted."
    )

    assert likeness(question, answer) > likeness(question, other) + 0.2
    assert len(question) == DIMENSIONS
    assert likeness(question, question) == pytest.approx(1, abs=1e-5)


async def test_a_text_has_the_same_vector_alone_and_in_company_whatever_the_order(model: MiniLM) -> None:
    texts = [f"{'long and ' * (n % 7) * 10}text {n}" for n in range(2 * minilm.BATCH + 3)]

    together = await embed(model, *texts)

    for at in (0, 5, len(texts) - 1):
        (alone,) = await embed(model, texts[at])
        assert likeness(alone, together[at]) == pytest.approx(1, abs=1e-4)


async def test_odd_texts_are_embedded_too(model: MiniLM) -> None:
    vectors = await embed(model, "", "\ud800", "\0", "x" * 1_000_000, "日本語のテキスト", "🙂" * 300)

    assert [len(vector) for vector in vectors] == [DIMENSIONS] * 6
    assert await embed(model) == ()


@pytest.mark.parametrize("changed", ["weights", "tokenizer"])
async def test_a_file_that_is_not_the_pinned_one_is_refused(model: MiniLM, tmp_path: Path, changed: str) -> None:
    weights, tokenizer = Path(model._files[0]), TOKENIZER
    other = tmp_path / "other"
    original = weights if changed == "weights" else tokenizer
    other.write_bytes(original.read_bytes() + b" ")
    impostor = MiniLM(
        weights=other if changed == "weights" else weights, tokenizer=other if changed == "tokenizer" else tokenizer
    )

    with pytest.raises(WeightsChanged):
        await embed(impostor, "text")

    await impostor.close()
    assert len(await embed(model, "text")) == 1  # the pinned ones are taken


async def test_weights_that_are_gone_are_a_model_that_is_away(tmp_path: Path) -> None:
    model = MiniLM(weights=tmp_path / "none")

    with pytest.raises(EmbeddingUnavailable):
        await embed(model, "text")

    await model.close()


async def test_whoever_has_texts_embedded_loads_nothing_of_the_model() -> None:
    code = (
        "import asyncio, sys\n"
        "from tests.memory.knowledge import test_embedding as here\n"
        "async def main():\n"
        "    model = here.installed()\n"
        "    assert len(await here.embed(model, 'word')) == 1\n"
        "    await model.close()\n"
        "asyncio.run(main())\n"
        "assert not {'onnxruntime', 'tokenizers', 'numpy'} & set(sys.modules)"
    )

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, env={**os.environ, "PYTHONPATH": ROOT}
    )

    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_a_model_nobody_asks_leaves_the_memory_and_comes_back(model: MiniLM) -> None:
    idle = MiniLM(weights=Path(model._files[0]), idle_seconds=0.01)

    (before,) = await embed(idle, "word")
    first = idle._process
    assert first is not None
    await asyncio.wait_for(first.wait(), 10)  # it ends by itself
    (after,) = await embed(idle, "word")
    await idle.close()

    assert before == after
    assert not Path(f"/proc/{first.pid}").exists()


async def test_a_process_that_is_killed_under_a_batch_is_started_once_more(model: MiniLM) -> None:
    (before,) = await embed(model, "word")
    process = model._process
    assert process is not None

    process.kill()  # as when the machine ran out of memory; nobody has noticed yet

    assert await embed(model, "word") == (before,)


async def test_the_process_goes_with_whoever_stops_waiting(tmp_path: Path) -> None:
    silent = taken_over(tmp_path, "time.sleep(600)")

    asking = asyncio.create_task(embed(silent, "word"))
    async with asyncio.timeout(30):
        while not (tmp_path / "started").exists():
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert silent._process is None
    assert not Path("/proc", (tmp_path / "started").read_text() or "none").exists()


def taken_over(folder: Path, program: str) -> MiniLM:
    """A model whose process does what a text told it to."""
    file = folder / "program.py"
    mark = folder / "started"
    file.write_text(
        f"import os, time\nos.write(1, {SHUT_IN!r})\nos.read(0, 99)\n"
        f"open({str(mark)!r} + '~', 'w').write(str(os.getpid()))\nos.rename({str(mark)!r} + '~', {str(mark)!r})\n"
        f"def say(answer): os.write(1, len(answer).to_bytes(8, 'big') + answer)\n{program}"
    )
    return MiniLM(weights=folder / "none", program=file)


@pytest.mark.parametrize(
    "program", ["say(b'v' + bytes(1536))", "os.write(1, (2**40).to_bytes(8, 'big'))", "say(b'v')", "say(b'?')", "pass"]
)
async def test_a_process_that_was_taken_over_gets_nothing_in(tmp_path: Path, program: str) -> None:
    model = taken_over(tmp_path, program)

    with pytest.raises(EmbeddingUnavailable):
        await embed(model, "word")

    await model.close()


async def test_a_vector_that_is_none_is_not_taken() -> None:
    def answer(*numbers: float) -> bytes:
        return _frames.VECTORS + array("f", [*numbers, *[0.0] * (DIMENSIONS - len(numbers))]).tobytes()

    assert _frames.accepted(answer(1.0), texts=1)[0][0] == 1.0
    for wrong in (answer(0.5), answer(float("nan")), answer(float("inf")), answer(1.0) * 2):
        with pytest.raises(EmbeddingUnavailable):
            _frames.accepted(wrong, texts=1)


async def test_a_question_is_not_embedded_by_a_model_that_was_tampered_with(model: MiniLM, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"not a model")
    impostor = MiniLM(weights=other)

    by_words = await asked("refund?", embedder=impostor, principal=SYSTEM, label=Label())
    by_both = await asked("refund?", embedder=model, principal=SYSTEM, label=Label())

    await impostor.close()
    assert (by_words.model, by_words.vector) == (None, None)
    assert by_both.model == MiniLM.model
