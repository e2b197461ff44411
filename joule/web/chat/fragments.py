"""Turns the events of a task into messages of an HTML stream: one message for one event.

htmx resolves every target of a message before it inserts anything, so a message only ever names what is on the page.
"""

from collections.abc import Iterable

from joule.tasks.queries import TaskFacts
from joule.web.chat.telling import Change, Telling
from joule.web.chat.turns import tail_of
from joule.web.chat.views import Stand, Turn
from joule.web.rendering import Templates


class Fragments:
    """The HTML of one stream."""

    def __init__(self, *, templates: Templates) -> None:
        self._templates = templates

    def messages(self, changes: Iterable[Change], telling: Telling, facts: TaskFacts, *, event_id: str) -> list[str]:
        """The messages for what one event changed. The last carries the id, so that a cut in between repeats them."""
        bodies: list[tuple[str, str]] = []
        for change in changes:
            if change.signal:
                bodies.append((change.signal, ""))
                continue
            stand = telling.stand or Stand.QUEUED
            if change.kind == "tail" and stand.is_over:
                continue  # the state says so in a moment, with how it ended
            bodies.append(("", self._fragment(change, tail_of(telling, facts, stand))))
        last = len(bodies) - 1
        return [
            message(body, event=event, event_id=event_id if at == last else "")
            for at, (event, body) in enumerate(bodies)
        ]

    def ending(self, telling: Telling, facts: TaskFacts) -> list[str]:
        """The last messages: how it ended, then nothing more to wait for."""
        stand = Stand(facts.state.value)
        turn = tail_of(telling, facts, stand)
        tail = Change(kind="tail", announce=_ANNOUNCED.get(stand, ""))
        # Taking the stream's own element off the page is what closes it, so that comes last.
        return [message(self._fragment(each, turn)) for each in (tail, Change(kind="over"))]

    def _fragment(self, change: Change, turn: Turn) -> str:
        return self._templates.text(
            "thread/_stream.html", {"change": change, "part": change.part, "step": change.part, "turn": turn}
        )


_ANNOUNCED = {
    Stand.DONE: "The answer is finished.",
    Stand.FAILED: "The task ended with an error.",
    Stand.STOPPED: "The answer was stopped.",
}


def message(body: str, *, event: str = "", event_id: str = "") -> str:
    """One message of a `text/event-stream`."""
    lines = [f"id: {event_id}"] if event_id else []
    if event:
        lines.append(f"event: {event}")
    lines += [f"data: {line}" for line in body.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(lines) + "\n\n"
