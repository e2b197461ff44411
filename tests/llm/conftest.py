"""Shared between the tests of this room: a provider on loopback and the handler before it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr

from joule.database.engine import Database
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId, new_id
from joule.kernel.permit import Permits
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import ModelSettings
from joule.llm.actions import Generate, Generation, Message, ToolSpec
from joule.llm.handler import LanguageModelHandler
from joule.llm.prices import Prices
from joule.llm.providers.base import ChatModel
from joule.llm.providers.registry import open_model
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.support.openai_server import OpenAIServer

KEY = "sk-canary-key-5Qz81LkPw"


@pytest.fixture
async def provider() -> AsyncIterator[OpenAIServer]:
    """A provider of models that waits for replies to give."""
    async with OpenAIServer().running() as server:
        yield server


def settings_for(server: OpenAIServer, **more: Any) -> ModelSettings:
    return ModelSettings(name="openai:test-model", api_key=SecretStr(KEY), base_url=server.url, **more)


@pytest.fixture
def model(provider: OpenAIServer) -> ChatModel:
    """The real partner package, pointed at the provider on loopback."""
    return open_model(settings_for(provider))


@dataclass(kw_only=True)
class Room:
    """The handler with a gate's hand before it."""

    org: OrgId
    database: Database
    vault: Vault
    clock: StoppedClock
    shown: list[str] = field(default_factory=list)
    task: TaskId = field(default_factory=lambda: TaskId(new_id()))
    decision: DecisionId = field(default_factory=lambda: DecisionId(new_id()))

    async def ask(
        self,
        model: ChatModel,
        *messages: Message,
        tools: tuple[ToolSpec, ...] = (),
        silence: float = 5.0,
        pauses: tuple[float, ...] = (),
        prices: Prices | None = None,
    ) -> Generation:
        permits = Permits(clock=self.clock)
        handler = LanguageModelHandler(
            admission=permits,
            database=self.database,
            vault=self.vault,
            clock=self.clock,
            model=model,
            prices=prices,
            silence_seconds=silence,
            pauses=pauses,
        )
        action = self.action(*messages, tools=tools)
        permit = permits.issue(action, decision=self.decision, task=self.task, progress=self._show)
        return await handler.generate(permit, action)

    def action(self, *messages: Message, tools: tuple[ToolSpec, ...] = ()) -> Generate:
        principal = Principal(org=self.org, person=PersonId(self.org), role=Role.MEMBER, via=Via.AGENT)
        return Generate(principal=principal, messages=messages or (Message(role="user", text="Hi"),), tools=tools)

    async def _show(self, text: str) -> None:
        self.shown.append(text)


@pytest.fixture
def room(org: OrgId, database: Database, vault: Vault, clock: StoppedClock) -> Room:
    return Room(org=org, database=database, vault=vault, clock=clock)
