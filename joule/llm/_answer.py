"""Puts the pieces of a stream together into a whole answer, or refuses to.

Pure. Half an answer is never passed off as one: no reason to finish, no `Generation`.
"""

import json
from typing import Any

from joule.kernel.label import Label
from joule.llm.actions import FinishReason, Generation, InvalidCall, ToolCall, canonical_json
from joule.llm.errors import MalformedAnswer, StreamTruncated
from joule.llm.providers.base import CallPiece, Piece

MAX_ANSWER_CHARS = 1_000_000
MAX_CALLS = 64


class Answer:
    """An answer in the making."""

    def __init__(self, *, provider: str, model: str) -> None:
        self._provider, self._model = provider, model
        self._text: list[str] = []
        self._calls: dict[str, _Call] = {}
        self._finish: FinishReason | None = None
        self._size = 0
        self.input_tokens = self.output_tokens = 0

    def add(self, piece: Piece) -> None:
        """Take one piece in. Raises `MalformedAnswer` once there is more than any real answer has."""
        if piece.text:
            self._text.append(piece.text)
        for fragment in piece.calls:
            self._calls.setdefault(fragment.key, _Call()).add(fragment)
        self._size += len(piece.text) + sum(len(each.arguments) + len(each.name) for each in piece.calls)
        if self._size > MAX_ANSWER_CHARS or len(self._calls) > MAX_CALLS:
            raise MalformedAnswer(self._provider, problem="it is far longer than it was asked to be")
        self._finish = piece.finish or self._finish
        self.input_tokens = max(self.input_tokens, piece.input_tokens)
        self.output_tokens = max(self.output_tokens, piece.output_tokens)

    def whole(self, *, label: Label, spend_micros: int) -> Generation:
        """The finished answer. Raises `StreamTruncated` when the provider never said that it was finished."""
        if self._finish is None:
            raise StreamTruncated(self._provider)
        cut = self._finish == "length"
        read = [each.read(number, cut=cut) for number, each in enumerate(self._calls.values())]
        calls = tuple(each for each in read if isinstance(each, ToolCall))
        return Generation(
            text="".join(self._text),
            tool_calls=calls,
            invalid_calls=tuple(each for each in read if isinstance(each, InvalidCall)),
            finish_reason="tool_calls" if read and not cut else self._finish,
            model=self._model,
            provider=self._provider,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            spend_micros=spend_micros,
            label=label,
        )


class _Call:
    """One tool call in the making."""

    def __init__(self) -> None:
        self._id = self._name = ""
        self._arguments: list[str] = []

    def add(self, fragment: CallPiece) -> None:
        self._id = self._id or fragment.id
        # Some servers send the name in every fragment, some send it in parts; none does both.
        if fragment.name and fragment.name != self._name:
            self._name += fragment.name
        self._arguments.append(fragment.arguments)

    def read(self, number: int, *, cut: bool) -> ToolCall | InvalidCall:
        identifier = self._id or f"call_{number}"
        written = "".join(self._arguments).strip()
        if not self._name:
            return InvalidCall(id=identifier, name="unnamed", reason="the call names no tool")
        try:
            values: Any = json.loads(written, parse_constant=_refuse) if written else {}
        except (ValueError, RecursionError):
            reason = "the answer ended inside the arguments" if cut else "the arguments are not valid JSON"
            return InvalidCall(id=identifier, name=self._name, reason=reason)
        if not isinstance(values, dict):
            return InvalidCall(id=identifier, name=self._name, reason="the arguments are not a JSON object")
        return ToolCall(id=identifier, name=self._name, arguments=canonical_json(values))


def _refuse(constant: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")
