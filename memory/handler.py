"""The room's only way in to its effects: each method spends its permit, then does what the action says.

Stores next door do the work; here stand only who may be asked, the transaction and the organisation's keys.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database, WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.handler import Method
from joule.kernel.ids import ProjectId
from joule.kernel.permit import Admission, Permit
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from memory import _erasing, _file_reading, _labels, _projects, _words, actions, gone
from memory._files import RESTORABLE, Shelf
from memory.items import _ends
from memory.masking import People, nobody, screen_of
from memory.results import (
    FileGone,
    FileHits,
    FileList,
    FileSaved,
    FilesErased,
    FileText,
    ProjectGone,
    ProjectMade,
    Swept,
    TableFacts,
)

SWEPT_AT_ONCE = 200


class MemoryHandler:
    """Projects and project files."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        max_file_bytes: int,
        people: People = nobody,
    ) -> None:
        """`max_file_bytes`: the largest file that is kept. `people` names an organisation's own people."""
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._max_file_bytes, self._people = max_file_bytes, people

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            actions.CreateProject: self.create_project,
            actions.RenameProject: self.rename_project,
            actions.DeleteProject: self.delete_project,
            actions.UploadFile: self.upload_file,
            actions.WriteFile: self.write_file,
            actions.EditFile: self.edit_file,
            actions.DeleteFile: self.delete_file,
            actions.RestoreFile: self.restore_file,
            actions.EraseFile: self.erase_file,
            actions.ListFiles: self.list_files,
            actions.ReadFile: self.read_file,
            actions.SearchFiles: self.search_files,
            actions.TableStatistics: self.table_statistics,
            actions.Sweep: self.sweep,
        }

    async def create_project(self, permit: Permit, action: actions.CreateProject, session: WriteSession) -> ProjectMade:
        self._admission.admit(permit, action)
        keyring = await self._vault.keyring(session, action.principal.org, create=True)
        return await _projects.create(session, keyring, permit, action, self._clock.now())

    async def rename_project(self, permit: Permit, action: actions.RenameProject, session: WriteSession) -> ProjectMade:
        self._admission.admit(permit, action)
        await _projects.required(session, action.principal.org, action.project)
        keyring = await self._vault.keyring(session, action.principal.org)
        return await _projects.rename(session, keyring, permit, action, self._clock.now())

    async def delete_project(self, permit: Permit, action: actions.DeleteProject, session: WriteSession) -> ProjectGone:
        self._admission.admit(permit, action)
        return await _projects.erase(session, action)

    async def upload_file(self, permit: Permit, action: actions.UploadFile, session: WriteSession) -> FileSaved:
        self._admission.admit(permit, action)
        shelf = await self._shelf(permit, action, session)
        return await shelf.save(
            action.file_name,
            action.content,
            lambda file: _labels.of_upload(action.principal, action.label, file),
        )

    async def write_file(self, permit: Permit, action: actions.WriteFile, session: WriteSession) -> FileSaved:
        self._admission.admit(permit, action)
        shelf = await self._shelf(permit, action, session)
        return await shelf.save(
            action.file_name,
            _words.file_text(action.text),
            lambda file: _labels.of_text(action.label, file),
            expected_version=action.expected_version,
        )

    async def edit_file(self, permit: Permit, action: actions.EditFile, session: WriteSession) -> FileSaved:
        self._admission.admit(permit, action)
        shelf = await self._shelf(permit, action, session)
        return await shelf.edit(
            action.file_name,
            action.find,
            action.replace,
            label=action.label,
            expected_version=action.expected_version,
        )

    async def delete_file(self, permit: Permit, action: actions.DeleteFile, session: WriteSession) -> FileGone:
        self._admission.admit(permit, action)
        shelf = await self._shelf(permit, action, session)
        file, name = await shelf.delete(action.file_name)
        return FileGone(file=file, name=name, restorable_until=shelf.now + RESTORABLE)

    async def restore_file(self, permit: Permit, action: actions.RestoreFile, session: WriteSession) -> FileSaved:
        self._admission.admit(permit, action)
        shelf = await self._shelf(permit, action, session)
        return await shelf.restore(action.file_name, version=action.version, file=action.file)

    async def erase_file(self, permit: Permit, action: actions.EraseFile, session: WriteSession) -> FilesErased:
        self._admission.admit(permit, action)
        project, keyring = await self._opened(action, session, stays=True)
        return await _erasing.erase(session, keyring, permit, action, project)

    async def list_files(self, permit: Permit, action: actions.ListFiles) -> FileList:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            return await _file_reading.listed(session, keyring, project, action.principal.person)

    async def read_file(self, permit: Permit, action: actions.ReadFile) -> FileText:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            return await _file_reading.lines(session, keyring, action, project)

    async def search_files(self, permit: Permit, action: actions.SearchFiles) -> FileHits:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            return await _file_reading.search(session, keyring, project, action.principal.person, action.query)

    async def table_statistics(self, permit: Permit, action: actions.TableStatistics) -> TableFacts:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            return await _file_reading.statistics(session, keyring, action, project)

    async def sweep(self, permit: Permit, action: actions.Sweep, session: WriteSession) -> Swept:
        self._admission.admit(permit, action)
        org, now = action.principal.org, self._clock.now()
        erased = await _erasing.sweep(session, permit, org, now, most=SWEPT_AT_ONCE)
        items = await _ends.sweep(session, org, now, most=SWEPT_AT_ONCE)
        return Swept(
            files=erased.files,
            versions=erased.versions,
            items=items,
            more=SWEPT_AT_ONCE in (erased.files, items),
        )

    async def _shelf(self, permit: Permit, action: Action[Any], session: WriteSession) -> Shelf:
        """Raises `SourceGone` when what the action was made from has been erased meanwhile."""
        await gone.must_stand(session, action.principal.org, _labels.outside(action.label))
        project, keyring = await self._opened(action, session, stays=True)
        return Shelf(
            session=session,
            keyring=keyring,
            permit=permit,
            principal=action.principal,
            project=project,
            now=self._clock.now(),
            max_bytes=self._max_file_bytes,
            screen=await screen_of(session, action.principal.org, self._people),
        )

    async def _opened(
        self, action: Action[Any], session: AsyncSession, *, stays: bool = False
    ) -> tuple[ProjectId, Keyring]:
        """The action's project, which must be there, and the keys of its organisation."""
        project = await _projects.required(session, action.principal.org, action.project, stays=stays)
        return project, await self._vault.keyring(session, action.principal.org)

    @asynccontextmanager
    async def _reading(self, action: Action[Any]) -> AsyncIterator[tuple[AsyncSession, ProjectId, Keyring]]:
        async with self._database.read(action.principal.org) as session:
            project, keyring = await self._opened(action, session)
            yield session, project, keyring
