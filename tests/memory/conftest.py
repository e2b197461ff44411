"""A memory room over a real database, with permits issued the way the gate issues them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from joule.database.engine import Database
from joule.kernel.handler import Handler
from joule.kernel.ids import DecisionId, OrgId, PersonId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.label import Label, typed_by
from joule.kernel.permit import Permits
from joule.kernel.principal import Principal, Role, Via
from joule.vault.vault import Vault
from memory.actions import CreateProject, Remember, UploadFile, WriteFile
from memory.entries.handler import EntriesHandler
from memory.following import follow
from memory.handler import MemoryHandler
from memory.items.handler import ItemsHandler
from tests.support.clock import StoppedClock

MEGABYTE = 1_048_576


class Room:
    """Performs actions for one person of one organisation, as the gate would after a yes."""

    def __init__(self, *, database: Database, vault: Vault, clock: StoppedClock, org: OrgId) -> None:
        self.database, self.vault, self.clock, self.org = database, vault, clock, org
        self.person = PersonId(new_id())
        self.task = TaskId(new_id())
        self.permits = Permits(clock=clock)
        self.threads: dict[TaskId, ThreadId] = {}  # the conversation of each task that has one
        self.people: list[str] = []
        shared: dict[str, Any] = {"admission": self.permits, "database": database, "vault": vault, "clock": clock}
        self.handler = MemoryHandler(**shared, max_file_bytes=MEGABYTE)
        self.handlers: list[Handler] = [
            self.handler,
            ItemsHandler(**shared, people=self._people, thread_of=self._thread_of, in_project=self._in_project),
            EntriesHandler(**shared, people=self._people, thread_of=self._thread_of),
        ]
        self.project = ProjectId(new_id())

    @property
    def typed(self) -> Label:
        return typed_by(self.person)

    def principal(self, via: Via = Via.PERSON) -> Principal:
        return Principal(org=self.org, person=self.person, role=Role.MEMBER, via=via)

    async def _people(self, *_: Any) -> list[str]:
        return self.people

    async def _thread_of(self, session: Any, org: OrgId, task: TaskId) -> ThreadId | None:
        return self.threads.get(task)

    async def _in_project(self, session: Any, org: OrgId, thread: ThreadId, project: ProjectId) -> bool:
        return thread in self.threads.values() and project == self.project

    async def do(self, action: Any, **permitted: Any) -> Any:
        """Perform it; `permitted` is what the gate found out: `own_words`, `approved`, another `task`."""
        task = permitted.pop("task", self.task)
        permit = self.permits.issue(action, decision=DecisionId(new_id()), task=task, **permitted)
        method = next(found for each in self.handlers if (found := each.methods().get(type(action))))
        if not action.effect.is_internal:
            return await method(permit, action)
        async with self.database.write(self.org) as session:
            return await method(permit, action, session)

    async def ask(self, kind: Any, /, **fields: Any) -> Any:
        """The action in this room's project, with words the person typed unless told otherwise."""
        fields = {"project": self.project, "principal": self.principal(), "label": self.typed, **fields}
        return await self.do(kind(**fields))

    async def erase(self, *sources: str) -> dict[str, int]:
        """What another room does that erases these sources: it lets everything made from them go along."""
        permit = self.permits.issue(
            CreateProject(principal=self.principal(), title="erasing"), decision=DecisionId(new_id()), task=self.task
        )
        async with self.database.write(self.org) as session:
            return dict(await follow(session, permit, self.org, sources))

    async def write(self, name: str, text: str, **fields: Any) -> Any:
        return await self.ask(WriteFile, file_name=name, text=text, **fields)

    async def upload(self, name: str, content: bytes, **fields: Any) -> Any:
        return await self.ask(UploadFile, file_name=name, content=content, **fields)

    async def remember(self, text: str, **fields: Any) -> Any:
        return await self.ask(Remember, text=text, **fields)

    async def query(self, function: Callable[..., Awaitable[Any]], *args: Any, **fields: Any) -> Any:
        async with self.database.read(self.org) as session:
            return await function(session, await self.vault.keyring(session, self.org), *args, **fields)


async def opened(database: Database, vault: Vault, clock: StoppedClock, org: OrgId, title: str) -> Room:
    room = Room(database=database, vault=vault, clock=clock, org=org)
    room.project = (await room.ask(CreateProject, project=None, title=title)).project
    return room


@pytest.fixture
async def room(database: Database, vault: Vault, clock: StoppedClock, org: OrgId) -> Room:
    return await opened(database, vault, clock, org, "Spring launch")


@pytest.fixture
async def neighbour(database: Database, vault: Vault, clock: StoppedClock) -> Room:
    return await opened(database, vault, clock, OrgId(new_id()), "Next door")
