"""A site with tasks in it, owners, admins and people of support, shared by the tests of one module."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from joule.kernel.ids import TaskId, new_id
from joule.kernel.principal import Role
from joule.kernel.settings import DatabaseSettings, Settings, VaultSettings
from joule.tasks.actions import StartTask
from joule.web.app import build_app
from tests.support.clock import StoppedClock
from tests.support.house import home
from tests.support.postgres import TestServer
from tests.support.scripted_model import Says, ScriptedModel
from tests.web.conftest import Site
from tests.web.test_conversation import until, working

REQUEST = "Save heliotrope as umbrella-plan.md, then delete zeppelin.md"
SCRIPT = [
    Says(
        calls=[
            ("write_file", {"file_name": "umbrella-plan.md", "text": "heliotrope and marzipan"}),
            ("read_file", {"file_name": "zeppelin.md"}),
        ]
    ),
    Says(text="The tangerine has landed."),
]
WORDS = ("heliotrope", "umbrella-plan", "marzipan", "tangerine")


class Desk(Site):
    """A site whose clock stands, with one task that has ended."""

    clock: StoppedClock
    task: TaskId

    async def worked(self, text: str = REQUEST, *, until_it: str = "done") -> TaskId:
        """A task that has ended, or waits."""
        started = await self.home.house.commands.perform(
            StartTask(principal=self.home.owner, project=self.home.project, text=text)
        )
        async with working(self):
            await until(self, started.task, until_it)
        return started.task

    async def invitation(self, role: Role) -> str:
        """The sign-in token of somebody new in `role`."""
        return await self._invited(role, f"{new_id().hex}@people.test")

    @asynccontextmanager
    async def somebody(self, role: Role = Role.SUPPORT) -> AsyncIterator[httpx.AsyncClient]:
        """The browser of somebody new in `role`; of the one owner."""
        async with self.signed_in(role, email=f"{new_id().hex}@people.test") as client:
            yield client


@asynccontextmanager
async def desk_of(server: TestServer, folder: Path) -> AsyncIterator[Desk]:
    """A desk over a database of its own."""
    clock = StoppedClock()
    with server.clone() as address:
        settings = Settings(
            home=folder,
            environment="test",
            database=DatabaseSettings(url=address.app_url, owner_url=address.owner_url),
            vault=VaultSettings(key_file=folder / "kek.json"),
        )
        model = ScriptedModel(script=SCRIPT)
        async with home(settings, model=model, clock=clock) as found:
            desk = Desk(app=build_app(found.house), home=found, model=model)
            desk.clock = clock
            desk.task = await desk.worked()
            yield desk
