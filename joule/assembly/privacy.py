"""Puts together what is erased, told and kept of people and organisations, room by room."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from integrations import of_person as accounts_of
from integrations.revoking import Revoking
from joule.assembly.memories import FOLLOWERS
from joule.database.engine import ReadSession, WriteSession
from joule.identity import of_person as people
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal
from joule.privacy.parts import Counts, Rooms
from joule.tasks import of_person as conversations
from joule.tasks.dispatch import Queue
from joule.tasks.erasing import Erasing
from joule.vault.vault import Vault
from memory import of_person as memories
from sandbox import of_person as artifacts
from sandbox.artifacts.store import Store

_TASKS = text("SELECT id FROM task WHERE org_id = :org")


def rooms(*, vault: Vault, clock: Clock, store: Store, revoking: Revoking) -> Rooms:
    """What each room erases and tells."""
    erasing = Erasing(vault=vault, clock=clock, dispatcher=Queue(), followers=FOLLOWERS)

    async def task(session: WriteSession, permit: Permit, who: Principal, task: TaskId) -> Counts:
        return await erasing.task(session, permit, who.org, task, by=who.person)

    async def said(session: WriteSession, permit: Permit, who: Principal, person: PersonId, files: bool) -> Counts:
        return await erasing.of_person(session, permit, who.org, person, by=who.person)

    async def made(session: WriteSession, permit: Permit, who: Principal, person: PersonId, files: bool) -> Counts:
        return await artifacts.erase(session, permit, who.org, person, clock=clock)

    async def kept(session: WriteSession, permit: Permit, who: Principal, person: PersonId, files: bool) -> Counts:
        return await memories.erase(session, permit, who.org, person, files=files)

    async def connected(session: WriteSession, permit: Permit, who: Principal, person: PersonId, files: bool) -> Counts:
        return await accounts_of.erase(session, permit, revoking, who, person)

    async def known(session: WriteSession, permit: Permit, who: Principal, person: PersonId, files: bool) -> Counts:
        return await people.erase(session, permit, vault, who.org, person, at=clock.now())

    async def outside(session: WriteSession, org: OrgId) -> Counts:
        tasks = [TaskId(each) for each in await session.scalars(_TASKS, {"org": org})]
        await Queue().withdraw(session, tasks)
        return {"artifact_bytes": await artifacts.erase_bytes(session, org, store)}

    async def tell_account(session: ReadSession, org: OrgId, person: PersonId) -> Mapping[str, Any]:
        return await people.tell(session, vault, org, person)

    async def tell_messages(session: ReadSession, org: OrgId, person: PersonId) -> Mapping[str, Any]:
        return await conversations.tell(session, vault, org, person)

    async def tell_memory(session: ReadSession, org: OrgId, person: PersonId) -> Mapping[str, Any]:
        keyring = await vault.keyring(session, org)
        return {
            **await memories.tell(session, keyring, org, person),
            **await artifacts.tell(session, keyring, org, person),
        }

    async def tell_connections(session: ReadSession, org: OrgId, person: PersonId) -> Mapping[str, Any]:
        return await accounts_of.tell(session, org, person)

    return Rooms(
        author=erasing.author,
        erase_task=task,
        # Conversations first: what was made from them goes with them, and need not be looked for again.
        erase_person=(said, made, kept, connected, known),
        tell_person=(tell_account, tell_messages, tell_memory, tell_connections),
        brought_in=memories.brought_in,
        untold=accounts_of.untold,
        end_outside=outside,
    )
