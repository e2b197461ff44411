"""Reads and writes the rows of threads and tasks. Only this room's handler and worker come here."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlmodel import col, select

from joule.database.engine import WriteSession
from joule.database.signals import notify
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId
from joule.kernel.label import Label
from joule.tasks.actions import StartTask
from joule.tasks.errors import TaskUnfinished
from joule.tasks.state import STOP_CHANNEL, State
from joule.tasks.tables import TaskRow, ThreadRow

LABEL: TypeAdapter[Label] = TypeAdapter(Label)

_TOUCH = text("UPDATE thread SET updated_at = :at WHERE org_id = :org AND id = :thread")
_REQUEST_STOP = text(
    "UPDATE task SET stop_requested_at = COALESCE(stop_requested_at, :at) WHERE org_id = :org AND id = :task"
)
_NOTE_ANSWER = text("UPDATE task SET answered = true WHERE org_id = :org AND id = :task")
_DELETE = text("DELETE FROM thread WHERE org_id = :org AND id = :thread")
_THREADS = text("SELECT id FROM thread WHERE org_id = :org AND project_id = :project ORDER BY id FOR UPDATE")
_TASKS = text("SELECT id FROM task WHERE org_id = :org AND thread_id = :thread ORDER BY id FOR UPDATE")

_DELETE_TASK = text("DELETE FROM task WHERE org_id = :org AND id = :task")
_CLOSE_UP = text("UPDATE task SET follows = :before WHERE org_id = :org AND thread_id = :thread AND follows = :task")
_UNREPLACE = text("UPDATE task SET replaces = NULL WHERE org_id = :org AND thread_id = :thread AND replaces = :task")


def subject_of(task: TaskId) -> str:
    """Under which key a task's words are sealed."""
    return f"task:{task}"


async def add(session: WriteSession, row: ThreadRow | TaskRow) -> None:
    """Insert a row now, so that what refers to it can follow."""
    session.add(row)
    await session.flush()


async def thread(session: WriteSession, org: OrgId, thread: ThreadId, project: ProjectId | None = None) -> ThreadRow:
    """A thread, alone with it until the transaction ends. Raises `NotFound`, also for another project's thread."""
    chosen = select(ThreadRow).where(col(ThreadRow.org_id) == org, col(ThreadRow.id) == thread).with_for_update()
    row: ThreadRow | None = (await session.execute(chosen)).scalar_one_or_none()
    if row is None or (project is not None and row.project_id != project):
        raise NotFound("thread")
    return row


async def task(session: WriteSession, org: OrgId, task: TaskId) -> TaskRow:
    """A task, alone with it until the transaction ends. Raises `NotFound`."""
    chosen = (
        select(TaskRow)
        .where(col(TaskRow.org_id) == org, col(TaskRow.id) == task)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row: TaskRow | None = (await session.execute(chosen)).scalar_one_or_none()
    if row is None:
        raise NotFound("task")
    return row


async def newest(session: WriteSession, org: OrgId, thread: ThreadId) -> TaskRow | None:
    """The task that was sent last into a thread: the end of its newest branch."""
    chosen = (
        select(TaskRow)
        .where(col(TaskRow.org_id) == org, col(TaskRow.thread_id) == thread)
        .order_by(col(TaskRow.id).desc())
        .limit(1)
    )
    row: TaskRow | None = (await session.execute(chosen)).scalar_one_or_none()
    return row


async def place_in_branch(session: WriteSession, org: OrgId, action: StartTask, thread: ThreadId) -> TaskId | None:
    """Which task a new one follows. The one it follows or replaces must have ended: raises `TaskUnfinished`."""
    wanted = action.replaces or action.follows
    named = await task(session, org, wanted) if wanted else await newest(session, org, thread)
    if named is None:
        return None
    if named.thread_id != thread:
        raise NotFound("task")
    if not State(named.state).is_ended:
        raise TaskUnfinished()
    if action.replaces is None:
        return TaskId(named.id)
    return TaskId(named.follows) if named.follows else None


async def touch(session: WriteSession, org: OrgId, thread: ThreadId, at: datetime) -> None:
    """Move a thread to the top of its list."""
    await session.execute(_TOUCH, {"org": org, "thread": thread, "at": at})


async def request_stop(session: WriteSession, org: OrgId, task: TaskId, at: datetime) -> None:
    """Note that a running task shall stop, and tell the worker that holds it."""
    await session.execute(_REQUEST_STOP, {"org": org, "task": task, "at": at})
    await tell_workers(session, task)


async def tell_workers(session: WriteSession, task: TaskId) -> None:
    """Have whichever worker holds `task` look at it, when the transaction commits."""
    await notify(session, STOP_CHANNEL, str(task))


async def note_answer(session: WriteSession, org: OrgId, task: TaskId) -> None:
    """An answer came before the run has paused: the task goes on as soon as it has."""
    await session.execute(_NOTE_ANSWER, {"org": org, "task": task})


async def threads_of(session: WriteSession, org: OrgId, project: ProjectId) -> Sequence[ThreadId]:
    """All threads of a project, locked."""
    found = await session.execute(_THREADS, {"org": org, "project": project})
    return [ThreadId(identifier) for identifier in found.scalars().all()]


async def tasks_of(session: WriteSession, org: OrgId, thread: ThreadId) -> Sequence[TaskId]:
    """All tasks of a thread, locked."""
    found = await session.execute(_TASKS, {"org": org, "thread": thread})
    return [TaskId(identifier) for identifier in found.scalars().all()]


async def delete_thread(session: WriteSession, org: OrgId, thread: ThreadId) -> None:
    """Take a thread's rows and those of its tasks out of the tables."""
    await session.execute(_DELETE, {"org": org, "thread": thread})


async def delete_task(session: WriteSession, row: TaskRow) -> None:
    """Take one task's row out of the tables; what followed it follows what was before it."""
    about = {"org": row.org_id, "thread": row.thread_id, "task": row.id}
    await session.execute(_CLOSE_UP, {**about, "before": row.follows})
    await session.execute(_UNREPLACE, about)
    await session.execute(_DELETE_TASK, {"org": row.org_id, "task": row.id})
    session.expunge(row)
