"""Chooses the embedding model of the house, and asks a provider's through the gate."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from joule.kernel.errors import Invalid, JouleError, Misconfigured, Refused
from joule.kernel.ids import OrgId
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import EmbeddingSettings
from joule.llm.actions import Embed, Embedded
from joule.llm.errors import MalformedAnswer, NoEmbeddings
from joule.llm.prices import Prices
from joule.llm.providers.base import EmbeddingModel
from joule.llm.providers.embedding import open_embeddings
from memory.knowledge.embedding.base import DIMENSIONS, Aim, Embedder, Vector
from memory.knowledge.embedding.errors import EmbeddingUnavailable
from memory.knowledge.embedding.minilm import installed

AT_ONCE = 64  # texts in one request to a provider

Perform = Callable[[Embed], Awaitable[Embedded]]


async def nobody(action: Embed) -> Embedded:
    """For whoever only looks at what is chosen: nothing is sent to a provider."""
    raise NoEmbeddings


class Provided:
    """A provider's model. Every request is an action: judged, journalled and counted like any other that leaves."""

    dimensions = DIMENSIONS

    def __init__(self, *, provider: str, model: str, perform: Perform) -> None:
        plain = "".join(sign if (sign.isalnum() and sign.isascii()) or sign in "._-/" else "-" for sign in model)
        self.model = f"{provider}/{plain}@{DIMENSIONS}"
        self._perform = perform

    async def embed(
        self, texts: Sequence[str], *, purpose: Aim, principal: Principal, label: Label
    ) -> tuple[Vector, ...]:
        """See `Embedder`. Refused, misconfigured or misunderstood: the model is away, and search goes by words."""
        vectors: list[Vector] = []
        for first in range(0, len(texts), AT_ONCE):
            batch = tuple(texts[first : first + AT_ONCE])
            problem: JouleError | None = None
            try:
                answer = await self._perform(Embed(principal=principal, label=label, texts=batch, aim=purpose.value))
            except (Refused, Misconfigured, MalformedAnswer, Invalid) as known:
                problem = known
            if problem is not None:
                raise EmbeddingUnavailable from problem
            vectors += answer.vectors
        return tuple(vectors)


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """`embedder` is what the knowledge base asks, None: it is searched by words alone. `provided`: whom that asks."""

    embedder: Embedder | None
    provided: EmbeddingModel | None
    prices: Prices

    async def try_out(self) -> None:
        """Embed a word of ours. Raises what keeps the model from it: files that are gone or not the right ones."""
        if self.embedder is not None:
            system = Principal(org=OrgId(UUID(int=0)), person=None, role=Role.SYSTEM, via=Via.SYSTEM)
            await self.embedder.embed(["word"], purpose=Aim.QUERY, principal=system, label=Label())


@asynccontextmanager
async def embedding(
    settings: EmbeddingSettings, given: EmbeddingModel | None, *, perform: Perform
) -> AsyncIterator[Embedding]:
    """The model the settings name, or a provider's that is `given`, for as long as the house stands.

    `local` is None as well where its packages are not installed: Joule works without them.
    """
    prices = Prices(input_micros=settings.input_micros)
    provided = given or open_embeddings(settings)
    if provided is not None:
        asking = Provided(provider=provided.provider, model=provided.model, perform=perform)
        yield Embedding(embedder=asking, provided=provided, prices=prices)
        return
    here = installed() if settings.name.strip() == "local" else None
    try:
        yield Embedding(embedder=here, provided=None, prices=prices)
    finally:
        if here is not None:
            await here.close()
