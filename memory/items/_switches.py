"""Knows where memory is switched off: in a whole project, or in one conversation."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId
from joule.kernel.permit import Permit
from joule.kernel.principal import Via
from memory.items.actions import SwitchMemory
from memory.items.kinds import SwitchScope
from memory.items.results import MemorySwitched
from memory.items.tables import MemorySwitchRow

ThreadOf = Callable[[AsyncSession, OrgId, TaskId], Awaitable[ThreadId | None]]
"""The conversation a task belongs to, None for one that belongs to none."""

InProject = Callable[[AsyncSession, OrgId, ThreadId, ProjectId], Awaitable[bool]]
"""Whether a conversation is one of the project's."""


async def is_off(
    session: AsyncSession, permit: Permit, action: Action[Any], project: ProjectId, thread_of: ThreadOf
) -> bool:
    """Whether the agent must do without memory here. People see and change what is kept all the same."""
    if action.principal.via is Via.PERSON:
        return False
    places: list[UUID] = [project]
    if (thread := await thread_of(session, action.principal.org, permit.task)) is not None:
        places.append(thread)
    return bool(await off(session, action.principal.org, places))


async def off(session: AsyncSession, org: OrgId, places: list[UUID]) -> frozenset[UUID]:
    """In which of these projects and conversations it is off."""
    found = await session.scalars(
        select(col(MemorySwitchRow.id)).where(col(MemorySwitchRow.org_id) == org, col(MemorySwitchRow.id).in_(places))
    )
    return frozenset(found)


async def switch(
    session: WriteSession,
    permit: Permit,
    action: SwitchMemory,
    project: ProjectId,
    now: datetime,
    in_project: InProject,
) -> MemorySwitched:
    """Raises `NotFound` for a conversation that is not the project's."""
    org = action.principal.org
    if action.thread is not None and not await in_project(session, org, action.thread, project):
        raise NotFound("conversation")
    place: UUID = action.thread or project
    await session.execute(
        delete(MemorySwitchRow).where(col(MemorySwitchRow.org_id) == org, col(MemorySwitchRow.id) == place)
    )
    if not action.on:
        scope = SwitchScope.PROJECT if action.thread is None else SwitchScope.THREAD
        session.add(
            MemorySwitchRow(
                org_id=org,
                id=place,
                scope=scope.value,
                project_id=project,
                set_by=action.principal.person,
                created_at=now,
                decision_id=permit.decision,
            )
        )
    await session.flush()
    return MemorySwitched(on=action.on, thread=action.thread)


async def forget(session: WriteSession, org: OrgId, threads: list[UUID]) -> None:
    """Conversations that are deleted need no switch."""
    if threads:
        await session.execute(
            delete(MemorySwitchRow).where(col(MemorySwitchRow.org_id) == org, col(MemorySwitchRow.id).in_(threads))
        )
