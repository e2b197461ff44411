"""Removes files for good, with what was remembered from them: on someone's word, and when their 30 days are over."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, ProjectId
from joule.kernel.permit import Permit
from joule.vault.keys import Keyring
from memory import _words
from memory._files import RESTORABLE, named
from memory.actions import EraseFile
from memory.following import follow
from memory.results import FilesErased
from memory.tables import FileVersionRow, ProjectFileRow


async def erase(
    session: WriteSession, keyring: Keyring, permit: Permit, action: EraseFile, project: ProjectId
) -> FilesErased:
    """All files that have or had the name, or the one of them the action chooses. Raises `NotFound`."""
    which = named(keyring, project, _words.file_name(action.file_name))
    if action.file is not None:
        which = (*which, col(ProjectFileRow.id) == action.file)
    rows = await session.scalars(select(col(ProjectFileRow.id)).where(*which).with_for_update())
    files = list(rows)
    if not files:
        raise NotFound("file")
    return await _erase(session, permit, keyring.org, files)


async def sweep(session: WriteSession, permit: Permit, org: OrgId, now: datetime, *, most: int) -> FilesErased:
    """At most `most` files whose time to come back is over."""
    rows = await session.scalars(
        select(col(ProjectFileRow.id))
        .where(col(ProjectFileRow.org_id) == org, col(ProjectFileRow.deleted_at) <= now - RESTORABLE)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return await _erase(session, permit, org, list(rows))


async def _erase(session: WriteSession, permit: Permit, org: OrgId, files: list[Any]) -> FilesErased:
    await follow(session, permit, org, [f"file:{file}" for file in files])
    versions = await session.execute(
        delete(FileVersionRow).where(col(FileVersionRow.org_id) == org, col(FileVersionRow.file_id).in_(files))
    )
    gone = await session.execute(
        delete(ProjectFileRow).where(col(ProjectFileRow.org_id) == org, col(ProjectFileRow.id).in_(files))
    )
    return FilesErased(
        files=cast(CursorResult[Any], gone).rowcount, versions=cast(CursorResult[Any], versions).rowcount
    )
