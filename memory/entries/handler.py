"""The only way in to entries: each method spends its permit, then does what the action says."""

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
from memory import _projects
from memory.entries import _store, actions
from memory.entries.results import Entries, EntryDeleted, EntryPut, Namespaces
from memory.errors import MemoryOff
from memory.items._switches import ThreadOf, is_off
from memory.masking import People, screen_of


class EntriesHandler:
    """What other agents keep, find, list and delete. Where memory is switched off there is nothing, and nothing is kept."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        people: People,
        thread_of: ThreadOf,
    ) -> None:
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._people, self._thread_of = people, thread_of

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            actions.PutEntry: self.put_entry,
            actions.DeleteEntry: self.delete_entry,
            actions.GetEntry: self.get_entry,
            actions.SearchEntries: self.search_entries,
            actions.ListNamespaces: self.list_namespaces,
        }

    async def put_entry(self, permit: Permit, action: actions.PutEntry, session: WriteSession) -> EntryPut:
        self._admission.admit(permit, action)
        project, keyring = await self._opened(action, session, stays=True)
        if await is_off(session, permit, action, project, self._thread_of):
            raise MemoryOff
        screen = await screen_of(session, action.principal.org, self._people)
        return await _store.put(session, keyring, permit, action, project, self._clock.now(), screen)

    async def delete_entry(self, permit: Permit, action: actions.DeleteEntry, session: WriteSession) -> EntryDeleted:
        self._admission.admit(permit, action)
        project, keyring = await self._opened(action, session, stays=True)
        return await _store.remove(session, keyring, action, project)

    async def get_entry(self, permit: Permit, action: actions.GetEntry) -> Entries:
        self._admission.admit(permit, action)
        async with self._reading(permit, action) as (session, project, keyring):
            if project is None:
                return _store.NOTHING
            person = action.principal.person
            return await _store.found(session, keyring, project, person, action.namespace, action.key)

    async def search_entries(self, permit: Permit, action: actions.SearchEntries) -> Entries:
        self._admission.admit(permit, action)
        async with self._reading(permit, action) as (session, project, keyring):
            if project is None:
                return _store.NOTHING
            return await _store.search(session, keyring, action, project, action.principal.person)

    async def list_namespaces(self, permit: Permit, action: actions.ListNamespaces) -> Namespaces:
        self._admission.admit(permit, action)
        async with self._reading(permit, action) as (session, project, keyring):
            if project is None:
                return Namespaces(namespaces=(), label=_store.NOTHING.label)
            return await _store.namespaces(session, keyring, action, project, action.principal.person)

    async def _opened(
        self, action: Action[Any], session: AsyncSession, *, stays: bool = False
    ) -> tuple[ProjectId, Keyring]:
        project = await _projects.required(session, action.principal.org, action.project, stays=stays)
        return project, await self._vault.keyring(session, action.principal.org)

    @asynccontextmanager
    async def _reading(
        self, permit: Permit, action: Action[Any]
    ) -> AsyncIterator[tuple[AsyncSession, ProjectId | None, Keyring]]:
        """A session, the project, None where memory is switched off, and the organisation's keys."""
        async with self._database.read(action.principal.org) as session:
            project, keyring = await self._opened(action, session)
            is_dark = await is_off(session, permit, action, project, self._thread_of)
            yield session, None if is_dark else project, keyring
