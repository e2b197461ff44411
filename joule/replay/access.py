"""Whose eyes a replay may show content to."""

from collections.abc import Awaitable, Callable
from typing import Final

from joule.database.engine import ReadSession
from joule.kernel.ids import TaskId
from joule.kernel.principal import Principal, Role

FIELDS: Final = frozenset({"request", "args", "result", "why", "error", "answer", "text"})
"""The fields of content that rows of a task may have."""

MayRead = Callable[[ReadSession, Principal, TaskId], Awaitable[frozenset[str]]]
"""Which fields of a task's content this person may read now; none when nobody has granted them any."""


async def own_people(session: ReadSession, principal: Principal, task: TaskId) -> frozenset[str]:
    """The organisation's owners and admins read all; support nothing."""
    return FIELDS if principal.role in {Role.OWNER, Role.ADMIN} else frozenset()
