"""A model that says what a test wrote for it: real pieces over the real provider protocol, no provider."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from joule.llm.actions import canonical_json
from joule.llm.providers.base import CallPiece, ModelRequest, Piece


@dataclass(frozen=True, kw_only=True)
class Says:
    """One scripted answer: some text, some tool calls as (name, arguments)."""

    text: str = ""
    calls: Sequence[tuple[str, dict[str, Any]]] = ()


@dataclass(kw_only=True)
class ScriptedModel:
    """Answers the n-th model call of a conversation with the n-th line of the script, found by counting its own turns."""

    script: Sequence[Says]
    requests: list[ModelRequest] = field(default_factory=list)
    before: Callable[[int], Any] | None = None
    provider: str = "offline"
    model: str = "scripted"
    recipient: str = "none"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        self.requests.append(request)
        last_user = max(n for n, each in enumerate(request.messages) if each.role == "user")
        turn = sum(each.role == "assistant" for each in request.messages[last_user:])
        if self.before is not None:
            outcome = self.before(turn)
            if outcome is not None:
                await outcome
        says = self.script[min(turn, len(self.script) - 1)]
        for word in says.text.split(" ") if says.text else ():
            yield Piece(text=word + " ")
        calls = tuple(
            CallPiece(key=str(n), id=f"call-{turn}-{n}", name=name, arguments=canonical_json(arguments))
            for n, (name, arguments) in enumerate(says.calls)
        )
        yield Piece(calls=calls, finish="tool_calls" if calls else "stop", input_tokens=10, output_tokens=5)
