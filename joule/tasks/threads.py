"""Says which conversation a task belongs to, and which project a conversation: for rooms that know only ids."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId
from joule.tasks.tables import TaskRow, ThreadRow


async def thread_of(session: AsyncSession, org: OrgId, task: TaskId) -> ThreadId | None:
    """The conversation of a task; None for one that is none of ours, such as a command's."""
    found = await session.scalar(select(TaskRow.thread_id).where(col(TaskRow.org_id) == org, col(TaskRow.id) == task))
    return None if found is None else ThreadId(found)


async def in_project(session: AsyncSession, org: OrgId, thread: ThreadId, project: ProjectId) -> bool:
    """Whether the conversation is there, and is the project's."""
    found = await session.scalar(
        select(ThreadRow.project_id).where(col(ThreadRow.org_id) == org, col(ThreadRow.id) == thread)
    )
    return found == project
