"""A whole house over a test's own database, with an organisation, an owner and a project in it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from joule.agent.runner import Runner
from joule.agent.task import Claim, Outcome
from joule.agent.tools import Toolbox
from joule.assembly import House, open_house
from joule.identity.actions import FoundOrganisation
from joule.kernel.clock import Clock
from joule.kernel.handler import Handler
from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.label import typed_by
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.llm.providers.base import ChatModel, EmbeddingModel
from joule.vault.local_key_file import LocalKeyFile
from memory.actions import CreateProject, UploadFile
from traces import reader, sealing
from traces.reader import TaskEvent


@dataclass(kw_only=True)
class Home:
    """A house with somebody in it."""

    house: House
    owner: Principal
    project: ProjectId

    @property
    def org(self) -> OrgId:
        return self.owner.org

    def claim(self, request: str, *, task: TaskId | None = None, attempt: int = 1, **more: Any) -> Claim:
        """Leave to run a task with `request`, as a worker would have it."""
        person = self.owner.person
        assert person is not None
        return Claim(
            org=self.org,
            task=task or TaskId(new_id()),
            thread=ThreadId(new_id()),
            project=self.project,
            principal=self.owner.as_agent(),
            retention=self.house.settings.trace_retention,
            attempt=attempt,
            request=request,
            label=typed_by(person),
            **more,
        )

    async def run(self, claim: Claim) -> Outcome:
        """Run a claim as the worker's agent does."""
        settings = self.house.settings
        runner = Runner(
            gate=self.house.gate,
            journals=self.house.journals,
            settings=settings.task,
            toolbox=Toolbox(),
        )
        return await runner.run(claim)

    async def upload(self, name: str, content: bytes) -> None:
        await self.house.commands.perform(
            UploadFile(principal=self.owner, project=self.project, file_name=name, content=content)
        )

    async def events(self, task: TaskId) -> list[TaskEvent]:
        """The rows of a task, opened."""
        async with self.house.database.read(self.org) as session:
            keyring = await sealing.ring(session, self.house.vault, self.org, task)
            return await reader.events(session, keyring, self.org, task)

    async def serve(self, stop: asyncio.Event) -> None:
        """Run a worker in this process until `stop`."""
        await self.house.work(stop=stop)


@asynccontextmanager
async def home(
    settings: Settings,
    *,
    model: ChatModel | None = None,
    embeddings: EmbeddingModel | None = None,
    clock: Clock | None = None,
    more: Iterable[Handler] = (),
    more_policy: str = "",
) -> AsyncIterator[Home]:
    """A house, its owner and an empty project."""
    if settings.vault.kms_key is None and not settings.key_file.exists():
        LocalKeyFile.create(settings.key_file)
    async with open_house(
        settings, clock=clock, model=model, embeddings=embeddings, more=more, more_policy=more_policy
    ) as house:
        org = OrgId(new_id())
        system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        made = await house.commands.perform(
            FoundOrganisation(
                principal=system,
                organisation_name="Test house",
                owner_name="Ada",
                owner_email=f"ada-{org.hex[-8:]}@example.test",
            )
        )
        owner = Principal(org=org, person=made.person, role=Role.OWNER, via=Via.PERSON)
        project = (await house.commands.perform(CreateProject(principal=owner, title="Spring"))).project
        yield Home(house=house, owner=owner, project=project)
