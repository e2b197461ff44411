"""The only way in to remembered items: each method spends its permit, then does what the action says."""

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
from memory.errors import MemoryOff
from memory.items import _recalling, _switches, _terms, _training, actions
from memory.items._store import Notebook
from memory.items._switches import InProject, ThreadOf
from memory.items.results import (
    ConsentGiven,
    ConsentWithdrawn,
    ExportedForTraining,
    Forgotten,
    ItemsExported,
    MemorySwitched,
    Recalled,
    Remembered,
)
from memory.masking import People, screen_of


class ItemsHandler:
    """What is remembered, proposed, agreed to, forgotten, switched off and let out."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        people: People,
        thread_of: ThreadOf,
        in_project: InProject,
    ) -> None:
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._people, self._thread_of, self._in_project = people, thread_of, in_project

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            actions.Remember: self.remember,
            actions.ProposeItem: self.propose_item,
            actions.AcceptItem: self.accept_item,
            actions.DeclineItem: self.decline_item,
            actions.Recall: self.recall,
            actions.ListItems: self.list_items,
            actions.EditItem: self.edit_item,
            actions.PinItem: self.pin_item,
            actions.ForgetItem: self.forget_item,
            actions.SwitchMemory: self.switch_memory,
            actions.ExportItems: self.export_items,
            actions.ExportForTraining: self.export_for_training,
            actions.GiveTrainingConsent: self.give_training_consent,
            actions.WithdrawTrainingConsent: self.withdraw_training_consent,
        }

    async def remember(self, permit: Permit, action: actions.Remember, session: WriteSession) -> Remembered:
        self._admission.admit(permit, action)
        return await (await self._writing(permit, action, session)).keep(action)

    async def propose_item(self, permit: Permit, action: actions.ProposeItem, session: WriteSession) -> Remembered:
        self._admission.admit(permit, action)
        return await (await self._writing(permit, action, session)).keep(action)

    async def accept_item(self, permit: Permit, action: actions.AcceptItem, session: WriteSession) -> Remembered:
        self._admission.admit(permit, action)
        return await (await self._notebook(permit, action, session)).accept(action)

    async def decline_item(self, permit: Permit, action: actions.DeclineItem, session: WriteSession) -> Forgotten:
        self._admission.admit(permit, action)
        return await (await self._notebook(permit, action, session)).decline(action)

    async def recall(self, permit: Permit, action: actions.Recall) -> Recalled:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            if await _switches.is_off(session, permit, action, project, self._thread_of):
                return Recalled(items=(), label=_recalling.answer(()).label, off=True)
            return await _recalling.recall(
                session,
                keyring,
                project,
                action.principal.person,
                self._clock.now(),
                query=action.query,
                limit=action.limit,
            )

    async def list_items(self, permit: Permit, action: actions.ListItems) -> Recalled:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            if await _switches.is_off(session, permit, action, project, self._thread_of):
                return Recalled(items=(), label=_recalling.answer(()).label, off=True)
            return _recalling.answer(
                await _recalling.all_of(
                    session, keyring, project, action.principal.person, self._clock.now(), holding=True
                )
            )

    async def edit_item(self, permit: Permit, action: actions.EditItem, session: WriteSession) -> Remembered:
        self._admission.admit(permit, action)
        return await (await self._notebook(permit, action, session)).edit(action)

    async def pin_item(self, permit: Permit, action: actions.PinItem, session: WriteSession) -> Remembered:
        self._admission.admit(permit, action)
        return await (await self._notebook(permit, action, session)).pin(action)

    async def forget_item(self, permit: Permit, action: actions.ForgetItem, session: WriteSession) -> Forgotten:
        self._admission.admit(permit, action)
        return await (await self._notebook(permit, action, session)).forget(action)

    async def switch_memory(
        self, permit: Permit, action: actions.SwitchMemory, session: WriteSession
    ) -> MemorySwitched:
        self._admission.admit(permit, action)
        project = await _projects.required(session, action.principal.org, action.project, stays=True)
        await _terms.one_at_a_time(session, project)
        return await _switches.switch(session, permit, action, project, self._clock.now(), self._in_project)

    async def export_items(self, permit: Permit, action: actions.ExportItems) -> ItemsExported:
        self._admission.admit(permit, action)
        async with self._reading(action) as (session, project, keyring):
            items = await _recalling.all_of(
                session, keyring, project, action.principal.person, self._clock.now(), state=None
            )
            return ItemsExported(items=items, label=_recalling.answer(items).label)

    async def export_for_training(
        self, permit: Permit, action: actions.ExportForTraining, session: WriteSession
    ) -> ExportedForTraining:
        self._admission.admit(permit, action)
        project, keyring = await self._opened(action, session, stays=True)
        return await _training.export(
            session, keyring, action, project, decision=permit.decision, now=self._clock.now()
        )

    async def give_training_consent(
        self, permit: Permit, action: actions.GiveTrainingConsent, session: WriteSession
    ) -> ConsentGiven:
        self._admission.admit(permit, action)
        return await _training.give(session, action, decision=permit.decision, now=self._clock.now())

    async def withdraw_training_consent(
        self, permit: Permit, action: actions.WithdrawTrainingConsent, session: WriteSession
    ) -> ConsentWithdrawn:
        self._admission.admit(permit, action)
        return await _training.withdraw(session, action, decision=permit.decision, now=self._clock.now())

    async def _writing(self, permit: Permit, action: Action[Any], session: WriteSession) -> Notebook:
        notebook = await self._notebook(permit, action, session)
        if await _switches.is_off(session, permit, action, notebook.project, self._thread_of):
            raise MemoryOff
        return notebook

    async def _notebook(self, permit: Permit, action: Action[Any], session: WriteSession) -> Notebook:
        project, keyring = await self._opened(action, session, stays=True)
        return Notebook(
            session=session,
            keyring=keyring,
            permit=permit,
            principal=action.principal,
            project=project,
            now=self._clock.now(),
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
