"""Whose eyes a replay may show content to."""

from collections.abc import Awaitable, Callable

from joule.database.engine import ReadSession
from joule.kernel.ids import TaskId
from joule.kernel.principal import Principal

MayRead = Callable[[ReadSession, Principal, TaskId], Awaitable[frozenset[str]]]
"""Which fields of a task's content this person may be shown now; none unless it is on record that they read it."""
