"""A house with the demonstration provider beside it, and a person who can consent there."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2
from starlette.applications import Starlette

from integrations.actions import BeginConnection, FinishConnection
from integrations.demo import CALLBACK, PROVIDER
from integrations.demo.app import build_app
from integrations.results import Connected, ConsentPage, Secret
from joule.governance.gate import TaskGate
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.ids import PersonId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import IntegrationSettings, Settings
from tests.integrations.demo.conftest import served
from tests.support.house import Home, home

REDIRECT = f"http://127.0.0.1:8100{CALLBACK}"
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Office:
    """A house, its owner's browser session, and the demonstration they can connect."""

    home: Home
    demo: Starlette
    address: str
    session: UUID

    @property
    def owner(self) -> Principal:
        return self.home.owner

    @property
    def system(self) -> Principal:
        return Principal(org=self.home.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)

    def somebody(self, role: Role) -> Principal:
        return Principal(org=self.home.org, person=PersonId(new_id()), role=role, via=Via.PERSON)

    async def do(self, action: Action[R]) -> R:
        """As a person or the system does it."""
        return await self.home.house.commands.perform(action)

    async def task(self, *, words: str = "") -> TaskGate:
        """A gate over a task's journal, as the agent has one."""
        journal = await self.home.house.journals.open(self.home.org, TaskId(new_id()), attempt=1, retention="90d")
        return self.home.house.gate.over(journal, words=words)

    def as_agent(self) -> dict[str, Any]:
        return {"principal": self.owner.as_agent(), "label": Label()}

    async def begin(self, *scopes: str, **more: Any) -> ConsentPage:
        asked = {
            "principal": self.owner,
            "provider": PROVIDER,
            "scopes": scopes,
            "session": self.session,
            "redirect_uri": REDIRECT,
        }
        return await self.do(BeginConnection(**{**asked, **more}))

    async def consent(self, page: ConsentPage, *ticked: str, answer: str = "allow") -> dict[str, str]:
        """What the browser brings back after the person has answered at the provider."""
        async with httpx2.AsyncClient(base_url=f"http://{self.address}", trust_env=False) as browser:
            shown = await browser.get(page.url.get_secret_value())
            ticket = re.search(r'name="ticket" value="([^"]+)"', shown.text)
            assert ticket is not None, shown.text
            form = {"ticket": ticket[1], "scope": list(ticked), "answer": answer}
            back = await browser.post("/oauth/authorize", data=form)
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))

    async def finish(self, brought: dict[str, str], **more: Any) -> Connected:
        code = brought.get("code")
        asked = {
            "principal": self.owner,
            "provider": PROVIDER,
            "session": self.session,
            "state": Secret(brought["state"]),
            "code": None if code is None else Secret(code),
            "issuer": brought.get("iss"),
            "error": brought.get("error"),
        }
        return await self.do(FinishConnection(**{**asked, **more}))

    async def connect(self, *scopes: str, ticked: Sequence[str] | None = None, **more: Any) -> Connected:
        page = await self.begin(*scopes, **more)
        return await self.finish(await self.consent(page, *(scopes if ticked is None else ticked)))


@asynccontextmanager
async def office(settings: Settings, clock: Clock, **more: Any) -> AsyncIterator[Office]:
    """A house with the demonstration on a free port. `more` are settings of connected accounts."""
    app = build_app(now=clock.now)
    async with served(app) as port:
        chosen = settings.model_copy(update={"integrations": IntegrationSettings(demo_port=port, **more)})
        async with home(chosen, clock=clock) as found:
            yield Office(home=found, demo=app, address=f"127.0.0.1:{port}", session=new_id())
