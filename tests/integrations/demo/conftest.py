"""The demonstration on a port of its own, and Joule's side of it: the endpoints and the broker, over the guarded network."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette

from integrations.broker.addresses import ANY_NAME
from integrations.broker.guard import Network
from integrations.catalogue.load import catalogue
from integrations.demo import CALLBACK, CLIENT_ID, CLIENT_SECRET, PROVIDER
from integrations.demo.app import build_app
from integrations.oauth.callback import new_state, new_verifier
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.hosts import for_tenant
from integrations.oauth.secret import Secret
from integrations.oauth.sending import HttpPolicy
from integrations.oauth.tokens import AuthorizationRequest, ClientIdentity, TokenSet
from tests.support.clock import StoppedClock

REDIRECT = f"http://127.0.0.1:8100{CALLBACK}"
EVERYTHING = ("contacts.read", "campaigns.read", "notes.write", "newsletter.send", "ads.spend")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The demonstration as it runs, and Joule's way to it."""

    app: Starlette
    port: int
    clock: StoppedClock
    network: Network

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def endpoint(self, *, secret: str = CLIENT_SECRET) -> TokenEndpoint:
        return TokenEndpoint(
            provider=for_tenant(catalogue().provider(PROVIDER), self.address),
            client=ClientIdentity(client_id=CLIENT_ID, client_secret=Secret(secret)),
            http=HttpPolicy(transport=self.network.transport(ANY_NAME, name="Demo CRM")),
            clock=self.clock,
        )

    def browser(self) -> httpx2.AsyncClient:
        """What a person has, as far as these tests need it."""
        return httpx2.AsyncClient(base_url=f"http://{self.address}", trust_env=False)

    def request(self, scopes: Sequence[str] = EVERYTHING) -> AuthorizationRequest:
        return self.endpoint().authorization_request(new_state(), new_verifier(), REDIRECT, scopes)

    async def consented(
        self, request: AuthorizationRequest, ticked: Sequence[str], *, answer: str = "allow"
    ) -> dict[str, str]:
        """What the browser brings back after the person has ticked `ticked` and answered."""
        async with self.browser() as browser:
            page = await browser.get(request.url)
            ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
            assert ticket is not None, page.text
            form = {"ticket": ticket[1], "scope": list(ticked), "answer": answer}
            back = await browser.post("/oauth/authorize", data=form)
        assert back.status_code == 303
        assert back.headers["location"].startswith(f"{REDIRECT}?")
        return dict(parse_qsl(urlsplit(back.headers["location"]).query))

    async def connected(self, scopes: Sequence[str] = EVERYTHING, *, ticked: Sequence[str] | None = None) -> TokenSet:
        request = self.request(scopes)
        brought = await self.consented(request, scopes if ticked is None else ticked)
        assert brought["state"] == request.state.reveal()
        return await self.endpoint().exchange(Secret(brought["code"]), request.verifier, REDIRECT)


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[int]:
    """The application on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        await running


@pytest.fixture
async def demo(clock: StoppedClock) -> AsyncIterator[Demo]:
    app = build_app(now=clock.now, access_life=timedelta(minutes=15))
    async with served(app) as port:
        network = Network(loopback=[("127.0.0.1", port)])
        yield Demo(app=app, port=port, clock=clock, network=network)
        await network.close()
