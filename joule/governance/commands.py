"""Lets a signed-in person change something: the same gate, and a journal of its own for each command.

A command has a fresh task id, so that support can open it like any other task and no two commands wait for each other.
"""

from dataclasses import replace
from typing import TypeVar

from joule.governance import facts
from joule.governance.gate import Gate
from joule.kernel.action import Action
from joule.kernel.ids import TaskId, new_id
from joule.kernel.label import Label, typed_by
from joule.kernel.principal import Via
from traces.opening import Journals
from traces.records import Kind

R = TypeVar("R")
CALL = "command"


class Commands:
    """Performs actions at a person's own hand."""

    def __init__(self, *, gate: Gate, journals: Journals, retention: str) -> None:
        """`retention`: the class of their journals in organisations that have chosen none."""
        self._gate, self._journals, self._retention = gate, journals, retention

    async def perform(self, action: Action[R]) -> R:
        """Perform one action, journalled before this returns. Raises what the gate or the action raises."""
        action = _labelled(action)
        who = action.principal
        journal = await self._journals.command(who.org, TaskId(new_id()), person=who.person, retention=self._retention)
        about: dict[str, str | int] = {"task_kind": "command", "facts_schema": facts.VERSION}
        if who.person is not None:
            about["person"] = str(who.person)
        try:
            journal.note(Kind.TASK_STARTED, attrs=about)
            result = await self._gate.over(journal).perform(action, call=CALL)
            await journal.settle()
            await journal.flush()
        finally:
            await journal.close()
        return result


def _labelled(action: Action[R]) -> Action[R]:
    """What a person sends by their own hand is their own words, unless the action says otherwise."""
    who = action.principal
    if who.via is Via.PERSON and who.person is not None and action.label == Label():
        return replace(action, label=typed_by(who.person))
    return action
