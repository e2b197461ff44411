"""A house that may speak with an MCP server on loopback: the example from npm, or the hostile one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from integrations.mcp import queries
from integrations.mcp.actions import AddMcpServer, SetMcpTool
from integrations.mcp.queries import McpServerView, McpToolView
from integrations.mcp.results import McpToolsSeen
from joule.kernel.clock import Clock
from joule.kernel.settings import Settings
from tests.integrations.demo.conftest import served
from tests.support.house import Home, home
from tests.support.mcp import Hostile, running_example
from tests.support.scripted_model import Says, ScriptedModel


@dataclass(kw_only=True)
class Desk:
    """A home, and where the server is."""

    home: Home
    url: str
    model: ScriptedModel

    async def add(self, title: str = "Notes", *, url: str | None = None, confirmed: bool = True) -> McpToolsSeen:
        return await self.home.house.commands.perform(
            AddMcpServer(principal=self.home.owner, url=url or self.url, title=title, open_confirmed=confirmed)
        )

    async def servers(self) -> list[McpServerView]:
        async with self.home.house.database.read(self.home.org) as session:
            return await queries.servers(session, self.home.house.vault, self.home.org)

    async def tool(self, name: str = "note") -> McpToolView:
        """The one tool of this name."""
        (found,) = [each for server in await self.servers() for each in server.tools if each.name == name]
        return found

    async def switch(self, name: str, state: str, *, pin: str | None = None) -> None:
        known = await self.tool(name)
        await self.home.house.commands.perform(
            SetMcpTool(principal=self.home.owner, tool=known.tool, pin=pin or known.pin, state=state)
        )


@asynccontextmanager
async def desk(settings: Settings, port: int, *, issuer: int = 0, clock: Clock | None = None) -> AsyncIterator[Desk]:
    """A house that was told of `port`, and of where the server's issuer is."""
    model = ScriptedModel(script=[Says(text="Nothing to do.")])
    knowing = settings.integrations.model_copy(update={"mcp_port": port, "mcp_issuer_port": issuer})
    async with home(settings.model_copy(update={"integrations": knowing}), model=model, clock=clock) as found:
        yield Desk(home=found, url=f"http://127.0.0.1:{port}/mcp", model=model)


@pytest.fixture(scope="module")
def example() -> Iterator[int]:
    with running_example() as port:
        yield port


@pytest.fixture
async def beside_example(settings: Settings, example: int) -> AsyncIterator[Desk]:
    async with desk(settings, example) as found:
        yield found


@pytest.fixture
def hostile() -> Hostile:
    return Hostile()


@pytest.fixture
async def beside_hostile(settings: Settings, hostile: Hostile) -> AsyncIterator[Desk]:
    async with served(hostile.app()) as port, desk(settings, port) as found:
        yield found
