"""Takes up tasks whose question nobody answered in time: they go on without leave, and tell the person so."""

from datetime import datetime

from sqlalchemy import text

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId, TaskId
from joule.tasks import _places, _states
from joule.tasks.dispatch import Dispatcher
from joule.tasks.state import State

_LAPSED = text(
    "SELECT id FROM task WHERE org_id = :org AND state = 'waiting' AND NOT EXISTS ("
    " SELECT FROM approval WHERE approval.org_id = task.org_id AND approval.task_id = task.id"
    " AND approval.state = 'asked' AND approval.expires_at > :at)"
    " ORDER BY id FOR UPDATE"
)


async def resume_lapsed(session: WriteSession, org: OrgId, dispatcher: Dispatcher, *, at: datetime) -> int:
    """Queue every task that waits although nothing it asked can be answered any more; returns how many."""
    await _places.lock(session, org)
    found = (await session.execute(_LAPSED, {"org": org, "at": at})).scalars().all()
    for task in found:
        await _states.move(session, org, TaskId(task), State.QUEUED, at=at)
        await dispatcher.enqueue(session, org, TaskId(task))
    return len(found)
