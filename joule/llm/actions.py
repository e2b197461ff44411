"""What can be asked of a language model, in words no provider owns.

The request is data alone: messages, tools, nothing else. Which model answers is a setting of the house, never an
argument, so that no text can choose who receives the conversation.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import PlainSerializer

from joule.kernel.action import Action, Effect, content
from joule.kernel.errors import Invalid
from joule.kernel.label import Label

MessageRole = Literal["system", "user", "assistant", "tool"]
EmbeddingAim = Literal["passage", "query"]
_PLAIN = re.compile(r"[a-z][a-z0-9_.:/#+-]{0,63}")
FinishReason = Literal["stop", "tool_calls", "length", "filtered"]


def canonical_json(value: Any) -> str:
    """JSON text that is the same for the same value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A model's wish to use a tool. `arguments` is canonical JSON text of an object; it has been checked to be one."""

    id: str
    name: str
    arguments: str = "{}"

    def values(self) -> dict[str, Any]:
        """The arguments by name."""
        read: dict[str, Any] = json.loads(self.arguments)
        return read

    @staticmethod
    def of(identifier: str, name: str, values: Mapping[str, Any]) -> "ToolCall":
        """A call from arguments by name."""
        return ToolCall(id=identifier, name=name, arguments=canonical_json(dict(values)))


@dataclass(frozen=True, kw_only=True)
class InvalidCall:
    """A tool call the model got wrong: never performed, told back to the model as the answer to `id`.

    `reason` is one of our own sentences, so it may be shown anywhere; it holds nothing the model wrote.
    """

    id: str
    name: str
    reason: str

    def as_call(self) -> ToolCall:
        """The call as it stands in the conversation: without the arguments nobody could read."""
        return ToolCall(id=self.id, name=self.name)


@dataclass(frozen=True, kw_only=True)
class ToolSpec:
    """A tool as the model sees it. `parameters` is the JSON text of a JSON Schema object."""

    name: str
    description: str
    parameters: str = '{"properties":{},"type":"object"}'


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation.

    A `tool` message answers the call `call_id` of the tool `name`; an `assistant` message may carry calls.
    """

    role: MessageRole
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A whole answer. A stream that broke off is an error, never a `Generation`.

    `spend_micros` is in millionths of the billing currency. Tokens are the provider's own count, or 0 if it gave none.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    invalid_calls: tuple[InvalidCall, ...] = ()
    finish_reason: FinishReason = "stop"
    model: str
    provider: str
    input_tokens: int = 0
    output_tokens: int = 0
    spend_micros: int = 0
    label: Label = field(default_factory=Label)

    def as_message(self) -> Message:
        """The answer as a turn of the conversation, misshapen calls included, so that each can be answered."""
        calls = self.tool_calls + tuple(each.as_call() for each in self.invalid_calls)
        return Message(role="assistant", text=self.text, tool_calls=calls)


@dataclass(frozen=True, kw_only=True)
class Generate(Action[Generation]):
    """Ask the configured model to go on with a conversation. The system message is part of `messages`."""

    name: ClassVar[str] = "llm.generate"
    effect: ClassVar[Effect] = Effect.MODEL
    idempotent: ClassVar[bool] = True

    messages: tuple[Message, ...] = content()
    tools: tuple[ToolSpec, ...] = content(default=())
    step: int = 0

    def measures(self, result: Generation) -> Mapping[str, int | str]:
        return {**_account(result), "output_tokens": result.output_tokens}

    def __post_init__(self) -> None:
        """A tool that is not ours would be run by the provider, where no gate stands."""
        if not all(isinstance(each, ToolSpec) for each in self.tools):
            raise Invalid("a tool was offered that is none of ours", advice="Offer tools as `ToolSpec` only.")


# A vector gives away what its text is about, and has to go when its text goes: the journal is told that there was one.
Vectors = Annotated[tuple[tuple[float, ...], ...], PlainSerializer(lambda _: ())]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """One vector of length 1 for each text, in order. In the journal, and so on replay, there are none."""

    vectors: Vectors
    model: str
    provider: str
    input_tokens: int = 0
    spend_micros: int = 0
    label: Label = field(default_factory=Label)


@dataclass(frozen=True, kw_only=True)
class Embed(Action[Embedded]):
    """Ask the configured provider to turn texts into vectors. The texts leave for the provider, as a conversation does."""

    name: ClassVar[str] = "llm.embed"
    effect: ClassVar[Effect] = Effect.MODEL
    idempotent: ClassVar[bool] = True

    texts: tuple[str, ...] = content()
    aim: EmbeddingAim

    def measures(self, result: Embedded) -> Mapping[str, int | str]:
        return _account(result)


def _account(result: Generation | Embedded) -> dict[str, int | str]:
    """Who answered and what it cost. A name that is no plain word stays in the call log, where names may be any."""
    told: dict[str, int | str] = {"input_tokens": result.input_tokens, "spend_micros": result.spend_micros}
    named = {"provider": result.provider.lower(), "model": result.model.lower()}
    return told | {name: value for name, value in named.items() if _PLAIN.fullmatch(value)}
