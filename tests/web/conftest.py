"""A real house behind real pages, spoken to over HTTP without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from joule.identity.actions import InvitePerson, IssueSignInLink
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import EmbeddingSettings, IntegrationSettings, Settings, WebSettings
from joule.web.app import build_app
from tests.support.house import Home, home
from tests.support.scripted_model import Says, ScriptedModel

ADDRESS = "http://127.0.0.1"
OWN = {"Sec-Fetch-Site": "same-origin"}


@dataclass(kw_only=True)
class Site:
    """The pages of a house, and its owner's browser."""

    app: FastAPI
    home: Home
    model: ScriptedModel

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[httpx.AsyncClient]:
        """A browser nobody is signed in with. What it sends comes from our own pages."""
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=OWN) as client:
            yield client

    async def link(self, person: Any = None) -> str:
        """A fresh sign-in link's token."""
        system = Principal(org=self.home.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        made = await self.home.house.commands.perform(
            IssueSignInLink(principal=system, person=person or self.home.owner.person)
        )
        return made.token.get_secret_value()

    @asynccontextmanager
    async def signed_in(self, role: Role = Role.OWNER, *, email: str = "") -> AsyncIterator[httpx.AsyncClient]:
        """The browser of somebody in `role`."""
        token = (
            await self.link()
            if role is Role.OWNER
            else await self._invited(role, email or f"{role.value}@example.test")
        )
        async with self.stranger() as client:
            assert (await client.post("/sign-in/link", data={"token": token})).status_code == 303
            yield client

    async def _invited(self, role: Role, email: str) -> str:
        made = await self.home.house.commands.perform(
            InvitePerson(
                principal=self.home.owner,
                person_name=role.value.capitalize(),
                email=email,
                role=role,
            )
        )
        return made.token.get_secret_value()


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    """A house with an owner and the project Spring; uploads of at most 1 MB. The demonstration is known, and never asked."""
    small = settings.model_copy(
        update={
            "web": WebSettings(max_upload_mb=1),
            "integrations": IntegrationSettings(demo_port=8110),
            "embedding": EmbeddingSettings(name="none"),  # loads no model for each test
        }
    )
    model = ScriptedModel(script=[Says(text="Good day.")])
    async with home(small, model=model) as found:
        yield Site(app=build_app(found.house), home=found, model=model)
