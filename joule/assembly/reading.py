"""Whose eyes a replay may show content to: those on record as reading this task just now, and no others."""

from datetime import datetime

from joule.database.engine import ReadSession
from joule.kernel.clock import Clock
from joule.kernel.ids import TaskId
from joule.kernel.principal import Principal
from traces.grants import queries
from traces.grants.parts import field_names


class OnRecord:
    """Answers a replay from the reads on record; see `traces.grants.actions.ReadContent`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, session: ReadSession, principal: Principal, task: TaskId) -> frozenset[str]:
        """The fields of content that may be shown."""
        if principal.person is None:
            return frozenset()
        now: datetime = self._clock.now()
        parts = await queries.on_record(session, principal.org, task, person=principal.person, now=now)
        return field_names(parts)
