"""A house in which the agent may run code: over the real backend, a real database and a folder for artifacts."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from joule.agent.runner import Runner
from joule.agent.task import Claim, Outcome
from joule.agent.tools import Toolbox
from joule.kernel.ids import ThreadId, new_id
from joule.kernel.settings import Settings
from sandbox import queries
from sandbox.queries import ArtifactView, SessionView
from tests.support.clock import StoppedClock
from tests.support.house import Home, home
from tests.support.scripted_model import Says, ScriptedModel


@dataclass(kw_only=True)
class Workshop:
    """A house, and one thread in it whose agent does what a script says."""

    home: Home
    model: ScriptedModel
    thread: ThreadId = field(default_factory=lambda: ThreadId(new_id()))

    async def does(self, *script: Says, request: str = "Chart spend from campaigns.csv") -> tuple[Claim, Outcome]:
        """Run one task of the thread."""
        self.model.script = [*script, Says(text="Done.")]
        house = self.home.house
        claim = self.home.claim(request)
        claim = Claim(**{**vars(claim), "thread": self.thread})
        runner = Runner(
            gate=house.gate,
            journals=house.journals,
            settings=house.settings.task,
            toolbox=Toolbox(),
            code_behind=house.sandboxes.backends.behind,
        )
        return claim, await runner.run(claim)

    async def runs(self, code: str, *files: str) -> dict[str, Any]:
        """Run Python in the thread; the tool's answer as the model reads it."""
        await self.does(Says(calls=[("run_python", {"code": code, "files": list(files)})]))
        return self.answers()[-1]

    def answers(self) -> list[dict[str, Any]]:
        """What the tools answered in the last task."""
        import json

        return [json.loads(each.text) for each in self.model.requests[-1].messages if each.role == "tool"]

    async def artifacts(self, **more: Any) -> tuple[ArtifactView, ...]:
        house = self.home.house
        async with house.database.read(self.home.org) as session:
            keyring = await house.vault.keyring(session, self.home.org)
            return await queries.list_artifacts(
                session, keyring, reader=self.home.owner.person, now=house.clock.now(), **more
            )

    async def bytes_of(self, artifact: ArtifactView) -> bytes:
        house = self.home.house
        async with house.database.read(self.home.org) as session:
            keyring = await house.vault.keyring(session, self.home.org)
            found = await queries.content_of(
                session,
                keyring,
                house.sandboxes.store,
                artifact.artifact,
                reader=self.home.owner.person,
                now=house.clock.now(),
            )
        return found.content

    async def sessions(self) -> Sequence[SessionView]:
        house = self.home.house
        async with house.database.read(self.home.org) as session:
            return await queries.list_sessions(session, self.home.org, reader=self.home.owner.person)

    async def sweep(self) -> Any:
        """A round of the upkeep of this organisation."""
        house = self.home.house

        async def organisations() -> list[Any]:
            return [self.home.org]

        return await house.sandboxes.upkeep(house.commands.perform, organisations).run()

    def stored(self) -> list[bytes]:
        """What lies in the artifact store, as somebody with the disk reads it."""
        folder = self.home.house.settings.artifact_folder
        return [each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()]


Opening = Callable[..., AbstractAsyncContextManager[Workshop]]


@pytest.fixture
def opening(settings: Settings, clock: StoppedClock) -> Opening:
    """Opens a workshop, with other settings when a test needs them."""

    @asynccontextmanager
    async def opened(changed: Settings | None = None) -> AsyncIterator[Workshop]:
        model = ScriptedModel(script=[Says(text="Hello.")])
        async with home(changed or settings, model=model, clock=clock) as found:
            yield Workshop(home=found, model=model)

    return opened


@pytest.fixture
async def workshop(opening: Opening) -> AsyncIterator[Workshop]:
    async with opening() as found:
        yield found
