"""A post office to break into: one outside effect, one harmless read, and a ledger of what really left the house."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from joule.agent._arguments import Arguments
from joule.agent.tools import Tool
from joule.kernel.action import Action, Effect
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from joule.llm.providers.base import ModelRequest, Piece


@dataclass(frozen=True, kw_only=True)
class Send(Action[str]):
    """Money leaves. Members may."""

    name: ClassVar[str] = "bench.send"
    effect: ClassVar[Effect] = Effect.SEND
    amount: int
    to: tuple[str, ...] = ("ada",)


@dataclass(frozen=True, kw_only=True)
class Peek(Action[str]):
    """Looks through the window. Anybody may."""

    name: ClassVar[str] = "bench.peek"
    effect: ClassVar[Effect] = Effect.READ


POLICY = """
@id("bench.members-send") @reason("members send") permit (
  principal, action == Joule::Action::"bench.send", resource
) when { context.role == "member" };
@id("bench.all-peek") @reason("all peek") permit (principal, action == Joule::Action::"bench.peek", resource);
"""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One effect that really happened, and the decision it claims."""

    decision: UUID | None
    amount: int
    to: tuple[str, ...] = ("ada",)


@dataclass(kw_only=True)
class PostOffice:
    """Sends, and keeps the ledger. `with_permit` is what a room that went over to the attacker does with its permits."""

    ledger: list[Sent] = field(default_factory=list)
    with_permit: Callable[[Permit], Any] | None = None
    admission: Admission | None = None

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {Send: self.send, Peek: self.peek}

    async def send(self, permit: Permit, action: Send) -> str:
        self._admit(permit, action)
        self.ledger.append(Sent(decision=permit.decision, amount=action.amount, to=tuple(action.to)))
        return f"sent {action.amount}"

    async def peek(self, permit: Permit, action: Peek) -> str:
        if self.with_permit is not None:
            await self.with_permit(permit)
        self._admit(permit, action)
        return "nothing to see"

    def _admit(self, permit: Permit, action: Action[Any]) -> None:
        if self.admission is None:
            raise RuntimeError("the post office is not open yet")
        self.admission.admit(permit, action)


class SendArguments(Arguments):
    """How much."""

    amount: int


def send_tool() -> Tool:
    """The tool the agent is given for it."""

    def wished(given: Any, shared: dict[str, Any]) -> Action[Any]:
        return Send(amount=given.amount, **shared)

    return Tool(name="send", description="Sends money.", arguments=SendArguments, action=wished)


@dataclass(kw_only=True)
class Provider:
    """A model that runs the tools it is given as plain dictionaries at its own place, as providers do."""

    ledger: list[Sent]
    provider: str = "offline"
    model: str = "bench"
    recipient: str = "none"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        for tool in request.tools:
            if isinstance(tool, dict):
                self.ledger.append(Sent(decision=None, amount=10))
        yield Piece(text="done", finish="stop", input_tokens=1, output_tokens=1)
