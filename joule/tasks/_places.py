"""The places among which an organisation's running tasks are shared out.

Of the tasks that wait, the oldest have a right to the free places. A task without that right is parked: it leaves the
queue, and the move that gives it the right puts it into the queue again in the same transaction. So nothing polls,
and the order is first come, first served. All of this happens under one lock per organisation, taken before any row.
"""

from sqlalchemy import text

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId, TaskId
from joule.tasks.dispatch import Dispatcher

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('joule.places:' || CAST(:org AS text), 0))")
_AHEAD = text(
    "SELECT count(other.id) FROM task AS mine JOIN task AS other ON other.org_id = mine.org_id"
    " AND (other.state = 'running' OR (other.state = 'queued' AND other.id < mine.id))"
    " WHERE mine.org_id = :org AND mine.id = :task AND mine.state = 'queued'"
)
_PARK = text("UPDATE task SET parked = true WHERE org_id = :org AND id = :task AND state = 'queued'")
_UNPARK = text(
    "WITH free AS (SELECT GREATEST(:limit - count(*), 0) AS places FROM task"
    "              WHERE org_id = :org AND state = 'running'),"
    " next AS (SELECT id FROM task WHERE org_id = :org AND state = 'queued'"
    "          ORDER BY id LIMIT (SELECT places FROM free))"
    " UPDATE task SET parked = false FROM next"
    " WHERE task.org_id = :org AND task.id = next.id AND task.parked RETURNING task.id"
)


async def lock(session: WriteSession, org: OrgId) -> None:
    """Be alone with this organisation's places until the transaction ends."""
    await session.execute(_LOCK, {"org": str(org)})


async def is_free(session: WriteSession, org: OrgId, task: TaskId, *, limit: int) -> bool:
    """Whether `task` may start now; if not, it is parked. A task that is running already has its place."""
    ahead = (await session.execute(_AHEAD, {"org": org, "task": task})).scalar_one()
    if ahead < limit:
        return True
    await session.execute(_PARK, {"org": org, "task": task})
    return False


async def share_out(session: WriteSession, org: OrgId, dispatcher: Dispatcher, *, limit: int) -> None:
    """Queue the parked tasks that now have a right to a place. Call it after every move that frees one."""
    freed = await session.execute(_UNPARK, {"org": org, "limit": limit})
    for task in sorted(freed.scalars().all()):
        await dispatcher.enqueue(session, org, TaskId(task))
