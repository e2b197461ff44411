"""Vectors of a provider: what is sent, to whom, what comes back, and what is written down about it."""

import json

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from joule.assembly import open_house
from joule.assembly.embedding import Provided, embedding, nobody
from joule.kernel.action import result_codec
from joule.kernel.errors import JouleError, Misconfigured
from joule.kernel.ids import OrgId, PersonId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import EmbeddingSettings, Settings
from joule.llm.actions import Embed, Embedded
from joule.llm.errors import MalformedAnswer, ModelRefusedKey, ModelUnavailable, NoEmbeddings, ProviderUnknown
from joule.llm.providers.base import EmbeddingModel
from joule.llm.providers.embedding import DIMENSIONS, open_embeddings
from joule.vault.local_key_file import LocalKeyFile
from memory.knowledge.actions import AddDocument, IndexDocument, SearchKnowledge
from memory.knowledge.embedding.base import Aim
from memory.knowledge.embedding.errors import EmbeddingUnavailable
from memory.knowledge.embedding.minilm import MiniLM
from tests.llm.conftest import KEY
from tests.support.house import home
from tests.support.openai_server import Embeds, Fails, OpenAIServer

SECRET = "the launch is called Nightjar"
EAST = [2.0, *[0.0] * (DIMENSIONS - 1)]
NORTH = [0.0, 3.0, *[0.0] * (DIMENSIONS - 2)]


def opened(provider: OpenAIServer) -> EmbeddingModel:
    settings = EmbeddingSettings(name="openai:test-model", api_key=SecretStr(KEY), base_url=provider.url)
    model = open_embeddings(settings)
    assert model is not None
    return model


async def test_each_text_gets_its_own_vector_at_length_one(provider: OpenAIServer) -> None:
    provider.replies.append(Embeds(vectors=(NORTH, EAST), places=(1, 0)))

    batch = await opened(provider).embed([SECRET, "two"], aim="passage")

    assert [vector[:2] for vector in batch.vectors] == [(1.0, 0.0), (0.0, 1.0)]
    assert batch.input_tokens == 5


async def test_the_texts_are_sent_to_the_configured_server_and_nothing_else(provider: OpenAIServer) -> None:
    provider.replies.append(Embeds(vectors=(EAST,)))

    await opened(provider).embed([SECRET], aim="query")

    (request,) = provider.requests
    assert request.path == "/v1/embeddings"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    expected = {"input": [SECRET], "model": "test-model", "dimensions": DIMENSIONS, "encoding_format": "float"}
    assert request.body == expected


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Embeds(vectors=([1.0, 2.0],)), MalformedAnswer),
        (Embeds(vectors=(EAST, NORTH)), MalformedAnswer),
        (Embeds(vectors=([0.0] * DIMENSIONS,)), MalformedAnswer),
        (Fails(status=401, message=SECRET), ModelRefusedKey),
        (Fails(status=503, message=SECRET), ModelUnavailable),
    ],
)
async def test_an_answer_that_cannot_be_used_is_an_error_without_a_word_of_the_text(
    provider: OpenAIServer, reply: Embeds | Fails, error: type[JouleError]
) -> None:
    provider.replies.append(reply)

    with pytest.raises(error) as caught:
        await opened(provider).embed([SECRET], aim="passage")

    assert SECRET not in f"{caught.value} {caught.value.advice()} {caught.value.__context__}"


def test_only_what_the_operator_named_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert open_embeddings(EmbeddingSettings(name="local")) is None
    assert open_embeddings(EmbeddingSettings(name="none")) is None
    for name in ("openai:", "cohere:embed", "test-model", ""):
        with pytest.raises(ProviderUnknown):
            open_embeddings(EmbeddingSettings.model_construct(name=name))
    with pytest.raises(Misconfigured):
        open_embeddings(EmbeddingSettings(name="openai:test-model"))  # no key
    with pytest.raises(Misconfigured):
        open_embeddings(EmbeddingSettings(name="openai:m", base_url="http://models.example.com/v1"))  # in clear


@pytest.fixture
def principal() -> Principal:
    return Principal(org=OrgId(new_id()), person=PersonId(new_id()), role=Role.MEMBER, via=Via.AGENT)


async def test_a_call_is_judged_and_logged_and_leaves_no_vector_behind(
    provider: OpenAIServer, settings: Settings, principal: Principal
) -> None:
    LocalKeyFile.create(settings.key_file)
    provider.replies += [Fails(status=503), Embeds(vectors=(EAST,))]
    async with open_house(settings, embeddings=opened(provider)) as house:
        perform = house.commands.perform

        answer = await perform(Embed(principal=principal, texts=(SECRET,), aim="passage"))

        assert answer.vectors[0][0] == 1.0
        async with house.database.read(principal.org) as session:
            logged = (await session.execute(text("SELECT provider, recipient, outcome, attempts FROM llm_call"))).all()
        host = provider.url.split("/")[2]
        assert logged == [("openai", host, "done", 2)]

        # Support may not have texts sent anywhere; nothing reached the provider.
        support = Principal(org=principal.org, person=principal.person, role=Role.SUPPORT, via=Via.PERSON)
        asked = len(provider.requests)
        model = Provided(provider="openai", model="m", perform=perform)
        with pytest.raises(EmbeddingUnavailable):
            await model.embed([SECRET], purpose=Aim.QUERY, principal=support, label=Label())
        assert len(provider.requests) == asked == 2

        provider.replies.append(Embeds(vectors=(NORTH,)))
        (vector,) = await model.embed([SECRET], purpose=Aim.QUERY, principal=principal, label=Label())
        assert vector[1] == 1.0


def test_the_journal_is_told_of_a_vector_but_not_which() -> None:
    made = Embedded(vectors=(tuple(EAST),), model="m", provider="openai", input_tokens=3)

    recorded = result_codec(Embed).dump_python(made, mode="json")

    assert recorded["vectors"] == []
    assert recorded["input_tokens"] == 3
    assert "2.0" not in json.dumps(recorded)


async def test_without_a_provider_nothing_is_sent(settings: Settings, principal: Principal) -> None:
    LocalKeyFile.create(settings.key_file)
    async with open_house(settings) as house:
        with pytest.raises(NoEmbeddings):
            await house.commands.perform(Embed(principal=principal, texts=(SECRET,), aim="query"))


async def test_the_house_embeds_with_what_the_operator_named_or_not_at_all(provider: OpenAIServer) -> None:
    async with embedding(EmbeddingSettings(name="local"), None, perform=nobody) as local:
        assert isinstance(local.embedder, MiniLM)
    async with embedding(EmbeddingSettings(name="none"), None, perform=nobody) as none:
        assert none.embedder is None
    named = EmbeddingSettings(name="openai:a:b+c", base_url=provider.url, input_micros=20)
    async with embedding(named, None, perform=nobody) as hosted:
        assert hosted.embedder is not None
        assert hosted.embedder.model == f"openai/a-b-c@{DIMENSIONS}"
        assert hosted.prices.of(1_000_000, 0) == 20
    assert provider.requests == []


async def test_a_document_is_embedded_by_the_provider_and_found_by_it(
    provider: OpenAIServer, settings: Settings
) -> None:
    async with home(settings, embeddings=opened(provider)) as at:
        perform, about = at.house.commands.perform, {"project": at.project}
        added = await perform(
            AddDocument(principal=at.owner, title="Launch.txt", content=f"{SECRET}.".encode(), **about)
        )
        system = Principal(org=at.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        provider.replies += [Embeds(vectors=(EAST,)), Embeds(vectors=(EAST,)), Fails(status=401)]

        await perform(IndexDocument(principal=system, document=added.document, **about))
        by_both = await perform(SearchKnowledge(principal=at.owner, query="wholly different words", **about))
        by_words = await perform(SearchKnowledge(principal=at.owner, query="Nightjar", **about))

    assert [SECRET in body for body in (each.body["input"][0] for each in provider.requests)] == [True, False, False]
    assert (by_both.how, [each.title for each in by_both.passages]) == ("hybrid", ["Launch.txt"])
    # The key is no longer accepted: words still find it, and the answer says that it was words alone.
    assert (by_words.how, [each.title for each in by_words.passages]) == ("text", ["Launch.txt"])
