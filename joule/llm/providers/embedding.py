"""Opens the embedding model of a provider: one that speaks the OpenAI wire format, wherever it runs.

As with conversations, everything that decides who receives the texts is stated here, and nothing is retried below us.
"""

import math
import os
import re
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from joule.kernel.errors import JouleError, Misconfigured
from joule.kernel.settings import EmbeddingSettings
from joule.llm.actions import EmbeddingAim
from joule.llm.errors import MalformedAnswer, ProviderNotInstalled, ProviderUnknown
from joule.llm.providers._address import check_address, host_of, stays_here
from joule.llm.providers._failures import understood
from joule.llm.providers.base import EmbeddingModel, VectorBatch
from joule.llm.providers.quiet import silence

DIMENSIONS = 384  # of what the knowledge base keeps; asked of the provider, and checked
OPENAI_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
HERE = ("local", "none")  # what is no provider's

_MODEL_NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,100}")


def open_embeddings(settings: EmbeddingSettings) -> EmbeddingModel | None:
    """The provider's model the settings name; None when they name none. Nothing is sent yet.

    Raises `ProviderUnknown`, `ProviderNotInstalled`, or `Misconfigured` for a missing key or an unsafe address.
    """
    name = settings.name.strip()
    if name in HERE:
        return None
    provider, _, model = name.partition(":")
    if provider != "openai" or not _MODEL_NAME.fullmatch(model):
        raise ProviderUnknown(
            "JOULE_EMBEDDING does not name an embedding model Joule can ask",
            advice="Set JOULE_EMBEDDING to `local`, `none` or `openai:MODEL`; see docs/models.md.",
        )
    if settings.base_url is not None:
        check_address(settings.base_url, provider)
    try:
        import openai
    except ModuleNotFoundError:
        raise ProviderNotInstalled(provider, extra="openai") from None
    silence()
    url = settings.base_url or OPENAI_URL
    client = openai.AsyncOpenAI(
        api_key=_key(settings).get_secret_value(),
        base_url=url,
        organization="",
        project="",
        max_retries=0,
        timeout=settings.timeout_seconds,
        http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not stays_here(url)),
    )
    return OpenAIEmbeddings(client=client, model=model, recipient=host_of(url))


class OpenAIEmbeddings:
    """A model behind the `embeddings` endpoint of the OpenAI wire format."""

    provider = "openai"

    def __init__(self, *, client: Any, model: str, recipient: str) -> None:
        self._client, self.model, self.recipient = client, model, recipient

    def __repr__(self) -> str:
        return f"<{self.provider}:{self.model} at {self.recipient}>"

    async def embed(self, texts: Sequence[str], *, aim: EmbeddingAim) -> VectorBatch:
        """See `EmbeddingModel`. These models embed questions and passages alike."""
        problem: JouleError | None = None
        try:
            answer = await self._client.embeddings.create(
                input=list(texts), model=self.model, dimensions=DIMENSIONS, encoding_format="float"
            )
        except Exception as unknown:  # noqa: BLE001 - the package has its own tree of exceptions
            problem = understood(
                unknown, provider=self.provider, model=self.model, key_variable=KEY_VARIABLE, started=False
            )
        if problem is not None:  # raised here, so that theirs, which may quote the texts, is not its context
            raise problem
        return self._read(answer, len(texts))

    def _read(self, answer: Any, wanted: int) -> VectorBatch:
        found = sorted(answer.data or (), key=lambda each: each.index)
        if [each.index for each in found] != list(range(wanted)):
            raise MalformedAnswer(self.provider, problem="it has not one vector for each text")
        vectors = tuple(_at_length_one(each.embedding) for each in found)
        if any(len(vector) != DIMENSIONS for vector in vectors):
            raise MalformedAnswer(self.provider, problem=f"its vectors are not {DIMENSIONS} numbers long")
        return VectorBatch(vectors=vectors, input_tokens=max(0, getattr(answer.usage, "prompt_tokens", 0) or 0))


def _at_length_one(vector: Sequence[float]) -> tuple[float, ...]:
    length = math.sqrt(sum(part * part for part in vector))
    if not math.isfinite(length) or length == 0:
        raise MalformedAnswer("openai", problem="one of its vectors points nowhere")
    return tuple(part / length for part in vector)


def _key(settings: EmbeddingSettings) -> SecretStr:
    """The key from our own setting, else, for the provider itself, from its variable."""
    if settings.api_key is not None:
        return settings.api_key
    if settings.base_url is not None:
        return SecretStr("none")
    if found := os.environ.get(KEY_VARIABLE):
        return SecretStr(found)
    raise Misconfigured(
        "there is no key for the embedding provider openai",
        advice=f"Set JOULE_EMBEDDING_API_KEY or {KEY_VARIABLE}, or set JOULE_EMBEDDING=local.",
    )
