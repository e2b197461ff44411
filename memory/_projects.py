"""Keeps projects. Their titles are sealed; deleting one removes every row that belongs to it."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Delete, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import OrgId, ProjectId, new_id
from joule.kernel.permit import Permit
from joule.vault.keys import Keyring
from memory import _words
from memory.actions import CreateProject, DeleteProject, RenameProject
from memory.errors import TooMuch
from memory.knowledge import erasing
from memory.results import ProjectGone, ProjectMade
from memory.tables import FileVersionRow, MemoryItemRow, ProjectFileRow, ProjectRow

MAX_PROJECTS = 1_000
_TITLE = "project.title"


async def required(session: AsyncSession, org: OrgId, project: ProjectId | None, *, stays: bool = False) -> ProjectId:
    """The project an action is about. Raises `Invalid` when it names none and `NotFound` when there is none.

    With `stays` (write sessions) nobody can delete it before the transaction ends.
    """
    if project is None:
        raise Invalid("this needs a project", advice="Open a project first.")
    found = select(col(ProjectRow.id)).where(col(ProjectRow.org_id) == org, col(ProjectRow.id) == project)
    if stays:
        found = found.with_for_update(read=True, key_share=True)
    if await session.scalar(found) is None:
        raise NotFound("project")
    return project


def title_of(row: ProjectRow, keyring: Keyring) -> str:
    """The title as it was typed."""
    return keyring.open_text(row.title, row=row.id, field=_TITLE, generation=row.generation)


async def create(
    session: WriteSession, keyring: Keyring, permit: Permit, action: CreateProject, now: datetime
) -> ProjectMade:
    org, title, project = action.principal.org, _words.title(action.title), new_id()
    count = await session.scalar(select(func.count()).where(col(ProjectRow.org_id) == org))
    if (count or 0) >= MAX_PROJECTS:
        raise TooMuch(f"there are {MAX_PROJECTS} projects already", advice="Delete a project you no longer need.")
    session.add(
        ProjectRow(
            org_id=org,
            id=project,
            title=keyring.seal_text(title, row=project, field=_TITLE),
            author=action.principal.person,
            created_at=now,
            updated_at=now,
            decision_id=permit.decision,
        )
    )
    await session.flush()
    return ProjectMade(project=ProjectId(project))


async def rename(
    session: WriteSession, keyring: Keyring, permit: Permit, action: RenameProject, now: datetime
) -> ProjectMade:
    title = _words.title(action.title)
    row = await _locked(session, action.principal.org, action.project)
    row.generation += 1
    row.title = keyring.seal_text(title, row=row.id, field=_TITLE, generation=row.generation)
    row.updated_at, row.decision_id = now, permit.decision
    await session.flush()
    return ProjectMade(project=ProjectId(row.id))


async def erase(session: WriteSession, action: DeleteProject) -> ProjectGone:
    org = action.principal.org
    row = await _locked(session, org, action.project)
    files = select(col(ProjectFileRow.id)).where(
        col(ProjectFileRow.org_id) == org, col(ProjectFileRow.project_id) == row.id
    )
    versions = await _gone(
        session, delete(FileVersionRow).where(col(FileVersionRow.org_id) == org, col(FileVersionRow.file_id).in_(files))
    )
    gone = await _gone(
        session,
        delete(ProjectFileRow).where(col(ProjectFileRow.org_id) == org, col(ProjectFileRow.project_id) == row.id),
    )
    items = await _gone(
        session, delete(MemoryItemRow).where(col(MemoryItemRow.org_id) == org, col(MemoryItemRow.project_id) == row.id)
    )
    documents = await erasing.of_project(session, org, ProjectId(row.id))
    await session.delete(row)
    await session.flush()
    return ProjectGone(
        project=ProjectId(row.id), items=items, files=gone, versions=versions, documents=documents.documents
    )


async def _locked(session: WriteSession, org: OrgId, project: UUID | None) -> ProjectRow:
    row = await session.scalar(
        select(ProjectRow).where(col(ProjectRow.org_id) == org, col(ProjectRow.id) == project).with_for_update()
    )
    if row is None:
        raise NotFound("project")
    return row


async def _gone(session: WriteSession, statement: Delete) -> int:
    result = cast(CursorResult[Any], await session.execute(statement))
    return result.rowcount
