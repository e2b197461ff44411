"""The embedding model that comes along: what its vectors are good for, and that it is the one it should be."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from joule.kernel.ids import OrgId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from memory.knowledge.embedding import minilm
from memory.knowledge.embedding.base import DIMENSIONS, Aim, Vector
from memory.knowledge.embedding.errors import EmbeddingUnavailable, WeightsChanged
from memory.knowledge.embedding.minilm import TOKENIZER, MiniLM, installed
from memory.knowledge.retrieval import asked

SYSTEM = Principal(org=OrgId(new_id()), person=None, role=Role.SYSTEM, via=Via.SYSTEM)


@pytest.fixture(scope="module")
def model() -> Iterator[MiniLM]:
    """One for all: loading it is what takes time."""
    found = installed()
    assert found is not None
    yield found
    found.close()


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
    weights, tokenizer = model._weights, TOKENIZER
    other = tmp_path / "other"
    original = weights if changed == "weights" else tokenizer
    other.write_bytes(original.read_bytes() + b" ")
    impostor = MiniLM(
        weights=other if changed == "weights" else weights, tokenizer=other if changed == "tokenizer" else tokenizer
    )

    with pytest.raises(WeightsChanged):
        await embed(impostor, "text")

    impostor.close()
    assert len(await embed(model, "text")) == 1  # the pinned ones are taken


async def test_weights_that_are_gone_are_a_model_that_is_away(tmp_path: Path) -> None:
    model = MiniLM(weights=tmp_path / "none")

    with pytest.raises(EmbeddingUnavailable):
        await embed(model, "text")

    model.close()


def test_a_process_that_embeds_nothing_loads_nothing() -> None:
    code = (
        "import sys; from memory.knowledge.embedding.minilm import installed; assert installed() is not None;"
        "assert not {'onnxruntime', 'tokenizers', 'numpy'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_a_question_is_not_embedded_by_a_model_that_was_tampered_with(model: MiniLM, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"not a model")
    impostor = MiniLM(weights=other)

    by_words = await asked("refund?", embedder=impostor, principal=SYSTEM, label=Label())
    by_both = await asked("refund?", embedder=model, principal=SYSTEM, label=Label())

    impostor.close()
    assert (by_words.model, by_words.vector) == (None, None)
    assert by_both.model == MiniLM.model
