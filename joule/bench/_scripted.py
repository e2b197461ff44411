"""A model for measurements: the offline one, except for some requests that it answers by the book."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from joule.llm.actions import canonical_json
from joule.llm.providers.base import CallPiece, ModelRequest, Piece
from joule.llm.providers.offline.model import OfflineModel

ASKS, STOPS, FAILS, RUNS = "please ask first", "please never end", "please fail", "please run code"
SERVED = "please ask the server"


@dataclass(kw_only=True)
class Scripted:
    """`suggestion` is what it wants remembered when a message says `ASKS`; `answer` what it then says; `code` what it runs."""

    suggestion: str
    answer: str
    code: str = ""
    provider: str = "offline"
    model: str = "scripted"
    recipient: str = "none"
    offline: OfflineModel = field(default_factory=OfflineModel)
    prompts: list[str] = field(default_factory=list, repr=False)  # all that models were told

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        self.prompts.append(f"{request.messages} {request.tools}")
        last = max(n for n, each in enumerate(request.messages) if each.role == "user")
        said = request.messages[last].text
        if FAILS in said:
            raise RuntimeError(f"the provider would not answer: {said}")  # as careless libraries do
        if STOPS in said:
            while True:
                yield Piece(text=self.answer + " ")
                await asyncio.sleep(0.2)
        elif ASKS in said and not any(each.role == "tool" for each in request.messages[last:]):
            arguments = canonical_json({"text": self.suggestion, "kind": "fact"})
            yield Piece(
                calls=(CallPiece(key="0", id="call-0", name="remember", arguments=arguments),), finish="tool_calls"
            )
        elif RUNS in said and not any(each.role == "tool" for each in request.messages[last:]):
            call = CallPiece(
                key="0", id="call-0", name="run_python", arguments=canonical_json({"code": self.code, "files": []})
            )
            yield Piece(calls=(call,), finish="tool_calls")
        elif SERVED in said and not any(each.role == "tool" for each in request.messages[last:]):
            name = next(each.name for each in request.tools if each.name.startswith("mcp_"))
            yield Piece(calls=(CallPiece(key="0", id="call-0", name=name, arguments="{}"),), finish="tool_calls")
        elif ASKS in said or RUNS in said or SERVED in said:
            yield Piece(text=self.answer, finish="stop")
        else:
            async for piece in self.offline.stream(request):
                yield piece
