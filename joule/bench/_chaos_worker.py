"""A worker process to be killed: a scripted model, an outside effect that leaves a line in a file, and nothing else.

Run as `python -m joule.bench._chaos_worker FOLDER`, with `JOULE_*` set by the benchmark.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from joule.agent._arguments import Arguments, Tool
from joule.assembly import open_house
from joule.kernel.action import Action, Effect
from joule.kernel.handler import Method
from joule.kernel.permit import Permit
from joule.kernel.settings import Settings
from joule.llm.actions import canonical_json
from joule.llm.providers.base import CallPiece, ModelRequest, Piece

TURNS = 5
POLICY = """
@id("chaos.ring") @reason("the benchmark rings") permit (principal, action == Joule::Action::"chaos.ring", resource)
when { context.via == "agent" };
"""


@dataclass(frozen=True, kw_only=True)
class RingOut(Action[str]):
    """Leaves one line in the file outside: cannot be taken back, and must not be left twice."""

    name: ClassVar[str] = "chaos.ring"
    effect: ClassVar[Effect] = Effect.SEND
    turn: int


class RingArguments(Arguments):
    """Which turn it is."""

    turn: int


RING = Tool(
    name="ring",
    description="Rings once.",
    arguments=RingArguments,
    action=lambda given, shared: RingOut(turn=given.turn, **shared),
)


class RingHandler:
    """Appends a line, as durably as a provider would take a request."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {RingOut: self.ring}

    async def ring(self, permit: Permit, action: RingOut) -> str:
        await asyncio.to_thread(self._append, f"{permit.task} {permit.decision} {action.turn}\n")
        await asyncio.sleep(0.01)  # a provider's answer takes a while: some kills fall in here
        return "rung"

    def _append(self, line: str) -> None:
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)


class ChaosModel:
    """Each turn rings, writes a version of a file and remembers a line; after the last it says it is done."""

    provider = "offline"
    model = "chaos"
    recipient = "none"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        turn = sum(each.role == "assistant" for each in request.messages)
        yield Piece(text=f"turn {turn} ")
        await asyncio.sleep(0.01)
        if turn >= TURNS:
            yield Piece(text="done", finish="stop")
            return
        wishes = [
            ("ring", {"turn": turn}),
            ("write_file", {"file_name": "chaos.md", "text": f"turn {turn} of {request.messages[-1].text[:20]}"}),
            ("remember", {"text": f"line {turn}"}),
        ]
        calls = tuple(
            CallPiece(key=str(n), id=f"c{turn}-{n}", name=name, arguments=canonical_json(arguments))
            for n, (name, arguments) in enumerate(wishes)
        )
        yield Piece(calls=calls, finish="tool_calls")


async def main(folder: Path) -> None:
    """Work until told to stop, or killed."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    handler = RingHandler(folder / "rung.txt")
    async with open_house(Settings(), model=ChaosModel(), more=[handler], more_policy=POLICY) as house:
        await house.work(stop=stop, more_tools=[RING])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
