"""What Joule needs of a model: to be asked once, and to answer piece by piece.

A model keeps no state between calls, tries nothing twice by itself and raises only errors of `joule.llm.errors`, whose
text holds neither the conversation nor a key.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from joule.llm.actions import EmbeddingAim, FinishReason, Message, ToolSpec


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """All that the model is told: nothing is added by a provider, and the system message stands in `messages`."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CallPiece:
    """A fragment of one tool call. Fragments with one `key` belong together; `arguments` is cut anywhere."""

    key: str
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A fragment of the answer. `finish` stands in one piece, near the end; an answer without it broke off."""

    text: str = ""
    calls: tuple[CallPiece, ...] = ()
    finish: FinishReason | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class ChatModel(Protocol):
    """One model of one provider."""

    @property
    def provider(self) -> str:
        """`offline`, `openai`, `anthropic`, `bedrock` or `google`."""
        ...

    @property
    def model(self) -> str:
        """The model's name at its provider."""
        ...

    @property
    def recipient(self) -> str:
        """The one host that is sent the conversation; `none` when nothing leaves the process."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """The answer to `request`, as it comes. Closing the iterator ends the call."""
        ...


@dataclass(frozen=True, kw_only=True)
class VectorBatch:
    """One vector for each text, in order, as the provider gave it."""

    vectors: tuple[tuple[float, ...], ...]
    input_tokens: int = 0


class EmbeddingModel(Protocol):
    """One model of one provider that turns texts into vectors."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def recipient(self) -> str:
        """The one host that is sent the texts."""
        ...

    async def embed(self, texts: Sequence[str], *, aim: EmbeddingAim) -> VectorBatch:
        """Raises only errors of `joule.llm.errors`."""
        ...
