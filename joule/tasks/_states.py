"""The one place where a task changes its state.

Every move is one UPDATE that names the states it may start from; the database holds the same table in a trigger.
A move on behalf of a worker also names its attempt, so that a worker that was given up changes nothing.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import text

from joule.database.engine import WriteSession
from joule.database.signals import notify
from joule.governance import approvals
from joule.kernel.errors import Fenced, NotFound
from joule.kernel.ids import OrgId, TaskId
from joule.tasks.errors import IllegalMove
from joule.tasks.state import MOVES, TASK_CHANNEL, State

_LOCK = text("SELECT state, attempt FROM task WHERE org_id = :org AND id = :task FOR UPDATE")
_CLAIM = text(
    "UPDATE task SET state = 'running', attempt = attempt + 1, worker = :worker, parked = false, answered = false,"
    " crashes = CASE WHEN state = 'running' THEN crashes + 1 ELSE 0 END,"
    " started_at = COALESCE(started_at, :at)"
    " WHERE org_id = :org AND id = :task AND state IN ('queued', 'running') RETURNING attempt"
)
_MOVE = text(
    "UPDATE task SET state = :state, code = :code, answer = COALESCE(:answer, answer), worker = NULL, parked = false,"
    " answered = false, ended_at = :ended"
    " WHERE org_id = :org AND id = :task"
)


async def claim(session: WriteSession, org: OrgId, task: TaskId, *, worker: str, at: datetime) -> int | None:
    """Begin the next attempt and return its number; None when the task is not to be run.

    A running task can be claimed too: whoever held it before is fenced from here on.
    """
    parameters = {"org": org, "task": task, "worker": worker, "at": at}
    row = (await session.execute(_CLAIM, parameters)).first()
    if row is None:
        return None
    await notify(session, TASK_CHANNEL, str(task))
    return int(row.attempt)


async def move(
    session: WriteSession,
    org: OrgId,
    task: TaskId,
    to: State,
    *,
    at: datetime,
    attempt: int | None = None,
    code: str | None = None,
    answer: bytes | None = None,
) -> State:
    """Change a task's state and return the state it had; live streams are woken when the transaction commits.

    Nobody can be asked on behalf of a task that has ended: its open approvals lapse with it.

    With `attempt` it is a worker's move: raises `Fenced` unless that is still the newest attempt of a running task.
    Raises `NotFound` when there is no such task, `IllegalMove` when `to` cannot follow.
    """
    row = (await session.execute(_LOCK, {"org": org, "task": task})).first()
    if row is None:
        raise Fenced() if attempt is not None else NotFound("task")
    before = State(row.state)
    if attempt is not None and (before is not State.RUNNING or row.attempt != attempt):
        raise Fenced()
    if to not in MOVES[before]:
        raise IllegalMove(before, to)
    values: dict[str, Any] = {"org": org, "task": task, "state": str(to), "code": code, "answer": answer}
    await session.execute(_MOVE, {**values, "ended": at if to.is_ended else None})
    if to.is_ended:
        await approvals.lapse(session, org, task, at=at)
    await notify(session, TASK_CHANNEL, str(task))
    return before
