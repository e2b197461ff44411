"""Asks any LangChain chat model, and hands on its answer piece by piece.

The model is called with callbacks of nobody: what LangGraph or a tracer has hung into the surrounding context is not
told what is said here.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk

from joule.kernel.errors import JouleError
from joule.llm.actions import FinishReason
from joule.llm.errors import MalformedAnswer, StreamTruncated
from joule.llm.providers._failures import understood
from joule.llm.providers._messages import to_langchain, tool_schemas
from joule.llm.providers.base import CallPiece, ModelRequest, Piece

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "filtered",
    "content_filtered": "filtered",
    "guardrail_intervened": "filtered",
    "refusal": "filtered",
    "safety": "filtered",
    "recitation": "filtered",
    "blocklist": "filtered",
    "prohibited_content": "filtered",
    "spii": "filtered",
}
_REASON_KEYS = ("finish_reason", "stop_reason", "stopReason")


class LangChainModel:
    """One LangChain chat model behind our own protocol."""

    def __init__(self, *, chat: BaseChatModel, provider: str, model: str, recipient: str, key_variable: str) -> None:
        """`recipient` is the host `chat` sends to; `key_variable` stands in the advice when the key is refused."""
        self._chat, self._key_variable = chat, key_variable
        self.provider, self.model, self.recipient = provider, model, recipient

    def __repr__(self) -> str:
        return f"<{self.provider}:{self.model} at {self.recipient}>"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """The answer as it comes. Raises only errors of `joule.llm.errors`."""
        problem: JouleError | None = None
        started = False
        try:
            async with aclosing(self._chunks(request)) as chunks:
                async for chunk in chunks:
                    started = True
                    yield self._piece(chunk)
        except JouleError:
            raise
        except Exception as unknown:  # noqa: BLE001 - four packages, each with its own tree of exceptions
            problem = understood(
                unknown, provider=self.provider, model=self.model, key_variable=self._key_variable, started=started
            )
        if problem is not None:  # raised here, so that their exception, which may quote the request, is not its context
            raise problem

    async def _chunks(self, request: ModelRequest) -> AsyncGenerator[AIMessageChunk, None]:
        options: dict[str, Any] = {"tools": tool_schemas(request.tools)} if request.tools else {}
        model = self._chat.bind_tools(options["tools"]) if options else self._chat
        stream = model.astream(to_langchain(request.messages), config={"callbacks": []})
        async with aclosing(stream) as chunks:  # type: ignore[type-var]  # a generator, typed as an iterator
            async for chunk in chunks:
                if not isinstance(chunk, AIMessageChunk):
                    raise MalformedAnswer(self.provider, problem="it is not in the provider's own format")
                yield chunk

    def _piece(self, chunk: AIMessageChunk) -> Piece:
        usage: Mapping[str, Any] = chunk.usage_metadata or {}
        return Piece(
            text=str(chunk.text),
            calls=tuple(
                CallPiece(
                    key=f"i{each['index']}" if each.get("index") is not None else f"c{each.get('id')}",
                    id=each.get("id") or "",
                    name=each.get("name") or "",
                    arguments=each.get("args") or "",
                )
                for each in chunk.tool_call_chunks
            ),
            finish=self._finish(chunk.response_metadata),
            input_tokens=max(0, int(usage.get("input_tokens") or 0)),
            output_tokens=max(0, int(usage.get("output_tokens") or 0)),
        )

    def _finish(self, metadata: Mapping[str, Any]) -> FinishReason | None:
        """Why the provider says it ended. A reason nobody knows is not taken for a good end."""
        for key in _REASON_KEYS:
            if reason := metadata.get(key):
                known = _REASONS.get(str(reason).lower())
                if known is None:
                    raise StreamTruncated(self.provider)
                return known
        return None
