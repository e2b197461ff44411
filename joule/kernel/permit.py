"""The single-use capability that lets one action happen once.

Only the gate holds the `Permits`; a handler gets the `Admission` side of it, which can spend a permit and cannot
make one. A permit that was forged, spent, swapped to another action or left lying too long opens nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import PermitMisused
from joule.kernel.ids import DecisionId, TaskId

LIFETIME = timedelta(seconds=60)

Progress = Callable[[str], Awaitable[None]]


async def _unheard(_: str) -> None:
    """Progress nobody listens to."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Permit:
    """Leave to perform `action` once. `decision` must stand in every row the effect makes."""

    action: Action[Any]
    decision: DecisionId
    task: TaskId
    issued_at: datetime
    own_words: bool = False  # every relevant argument stands in the person's own words: the gate has looked
    approved: bool = False  # a person was shown exactly this, and agreed
    boundary: str = "none"  # what code of this task runs behind, as the policies were told
    progress: Progress = field(default=_unheard, repr=False)  # text to show while it runs; journalled, then streamed


class Admission(Protocol):
    """The handler's side: spends permits."""

    def admit(self, permit: Permit, action: Action[Any]) -> None:
        """Spend `permit` on `action`, or raise `PermitMisused`."""
        ...


class Permits:
    """The gate's side: issues permits and remembers which are still unspent."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._unspent: dict[int, Permit] = {}

    def issue(
        self,
        action: Action[Any],
        *,
        decision: DecisionId,
        task: TaskId,
        own_words: bool = False,
        approved: bool = False,
        boundary: str = "none",
        progress: Progress = _unheard,
    ) -> Permit:
        permit = Permit(
            action=action,
            decision=decision,
            task=task,
            issued_at=self._clock.now(),
            own_words=own_words,
            approved=approved,
            boundary=boundary,
            progress=progress,
        )
        self._unspent[id(permit)] = permit
        return permit

    def withdraw(self, permit: Permit) -> None:
        """Make sure `permit` can never be spent; harmless if it already was."""
        self._unspent.pop(id(permit), None)

    def admit(self, permit: Permit, action: Action[Any]) -> None:
        issued = self._unspent.get(id(permit))
        if issued is None or issued is not permit:
            raise PermitMisused("this permit was never issued, or has been used already")
        if permit.action is not action:
            raise PermitMisused("this permit was issued for another action")
        del self._unspent[id(permit)]
        if self._clock.now() - permit.issued_at > LIFETIME:
            raise PermitMisused("this permit is too old")
