"""The offline model behind the protocol of every model: it answers in words, as a stream, and nothing leaves the process.

Deterministic: the same request gives the same pieces. It counts words as tokens and costs nothing.
"""

import re
from collections.abc import AsyncGenerator, Iterator

from joule.llm.providers.base import CallPiece, ModelRequest, Piece
from joule.llm.providers.offline._planner import plan

_PIECE = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+")


class OfflineModel:
    """A planner of our own, labelled as such wherever it answers."""

    provider = "offline"
    model = "offline"
    recipient = "none"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        step = plan(request.messages, request.tools)
        for word in in_words(step.text):
            yield Piece(text=word)
        calls = tuple(
            CallPiece(key=each.id, id=each.id, name=each.name, arguments=each.arguments) for each in step.calls
        )
        yield Piece(
            calls=calls,
            finish="tool_calls" if calls else "stop",
            input_tokens=sum(len(each.text.split()) for each in request.messages),
            output_tokens=len(step.text.split()) + sum(len(each.arguments.split()) for each in step.calls),
        )


def in_words(text: str) -> Iterator[str]:
    """The text in pieces of a word each; put together they are the text again."""
    return (match[0] for match in _PIECE.finditer(text))
