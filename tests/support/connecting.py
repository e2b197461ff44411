"""A house with the demonstration on loopback beside it, and a person who consents there with a browser of their own."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2
import uvicorn
from starlette.applications import Starlette

from integrations.actions import BeginConnection, FinishConnection, RevokeConnection
from integrations.demo import CALLBACK, PROVIDER
from integrations.demo.app import build_app
from integrations.results import Connected, Secret
from joule.kernel.ids import new_id
from joule.kernel.settings import Settings
from tests.support.house import Home, home

REDIRECT = f"http://127.0.0.1:8100{CALLBACK}"


@dataclass(kw_only=True)
class Shop:
    """A home, and the demonstration its organisation can connect."""

    home: Home
    demo: Starlette
    address: str

    async def connect(
        self, *scopes: str, connection: UUID | None = None, read_only: bool = False, refused: Sequence[str] = ()
    ) -> Connected:
        """Ask for `scopes` as the owner does, tick all but `refused`, and come back."""
        session = new_id()
        perform = self.home.house.commands.perform
        page = await perform(
            BeginConnection(
                principal=self.home.owner,
                provider=PROVIDER,
                scopes=scopes,
                session=session,
                redirect_uri=REDIRECT,
                read_only=read_only,
                tenant_host=self.address,
                connection=connection,
            )
        )
        brought = await self.consented(page.url.get_secret_value(), refused=set(refused))
        return await perform(
            FinishConnection(
                principal=self.home.owner,
                provider=PROVIDER,
                session=session,
                state=Secret(brought["state"]),
                code=Secret(brought["code"]),
            )
        )

    async def revoke(self, connection: UUID) -> None:
        await self.home.house.commands.perform(RevokeConnection(principal=self.home.owner, connection=connection))

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What was written on contacts at the demonstration."""
        return list(self.demo.state.customers.notes)

    @property
    def newsletters(self) -> list[dict[str, Any]]:
        """What was sent there."""
        return list(self.demo.state.customers.newsletters)

    async def consented(self, url: str, *, refused: Collection[str] = ()) -> dict[str, str]:
        """What the browser brings back from the provider's page at `url`, where all but `refused` was ticked."""
        async with httpx2.AsyncClient(base_url=f"http://{self.address}", trust_env=False) as browser:
            page = (await browser.get(url)).text
            ticket = re.search(r'name="ticket" value="([^"]+)"', page)
            assert ticket is not None, page
            offered = dict(parse_qsl(urlsplit(url).query))["scope"].split()
            ticked = [each for each in offered if each not in refused]
            form = {"ticket": ticket[1], "scope": ticked, "answer": "allow"}
            back = await browser.post("/oauth/authorize", data=form)
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))


@asynccontextmanager
async def shop(settings: Settings, **more: Any) -> AsyncIterator[Shop]:
    """A house that knows where the demonstration listens. `more` goes to `home`."""
    app = build_app()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        knowing = settings.integrations.model_copy(update={"demo_port": port})
        async with home(settings.model_copy(update={"integrations": knowing}), **more) as found:
            yield Shop(home=found, demo=app, address=f"127.0.0.1:{port}")
        server.should_exit = True
        await serving
