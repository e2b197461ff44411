"""A house beside a provider that answers as it is told, under the addresses of the catalogue's demonstration.

What the person's browser would bring back is made up here, so that every callback can be tried.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from sqlalchemy import text

from integrations.actions import BeginConnection, FinishConnection
from integrations.demo import CALLBACK, PROVIDER
from integrations.results import Connected, Secret
from joule.kernel.clock import Clock
from joule.kernel.ids import new_id
from joule.kernel.settings import IntegrationSettings, Settings
from tests.support.house import Home, home
from tests.support.provider_server import Asked, Json
from tests.support.rotating import Rotating
from traces import audit

REDIRECT = f"http://127.0.0.1:8100{CALLBACK}"
READING = ("contacts.read", "campaigns.read")
LEFT = ("oauth_grant", "connection", "revocation")


class Wicked(Rotating):
    """The demonstration's addresses, with a list of contacts for whoever brings a living token."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.knows_joule = True

    @property
    def token_calls(self) -> int:
        """How often a code or a token was brought to it."""
        return sum(asked.target.startswith("/oauth/token") for asked in self.seen)

    def knows(self, asked: Asked, given: Any) -> bool:
        return self.knows_joule

    def minting(self) -> dict[str, Any]:
        return {**super().minting(), "scope": " ".join(READING)}

    def at_api_contacts(self, asked: Asked) -> Json:
        self.reads += 1
        if self.bearer(asked) not in self.alive:
            return Json(value={"error": "invalid_token"}, status=401)
        return Json(value={"contacts": [{"id": "c-1", "name": "Bo"}]})


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A person at their browser, and the provider they are sent to."""

    home: Home
    provider: Wicked
    session: UUID

    async def begin(self, **more: Any) -> dict[str, str]:
        """What stands in the address the browser is sent to."""
        asked = {
            "principal": self.home.owner,
            "provider": PROVIDER,
            "scopes": READING,
            "session": self.session,
            "redirect_uri": REDIRECT,
        }
        page = await self.home.house.commands.perform(BeginConnection(**{**asked, **more}))
        return dict(parse_qsl(urlsplit(page.url.get_secret_value()).query))

    async def finish(self, state: str, **more: Any) -> Connected:
        """As the browser comes back."""
        asked = {
            "principal": self.home.owner,
            "provider": PROVIDER,
            "session": self.session,
            "state": Secret(state),
            "code": Secret("code-1"),
        }
        return await self.home.house.commands.perform(FinishConnection(**{**asked, **more}))

    async def kept(self, *tables: str) -> list[str]:
        """Of what a consent leaves behind (or `tables`), the kinds there are rows of."""
        async with self.home.house.database.read(self.home.org) as session:
            return [name for name in tables or LEFT if await session.scalar(text(f"SELECT count(*) FROM {name}"))]

    async def audited(self, action: str) -> tuple[str, str]:
        """How the newest command of this name ended, and the code it ended with, as the journal holds it."""
        now = self.home.house.clock.now()
        wanted = audit.Wanted(since=now - timedelta(days=1), until=now + timedelta(days=1), actions=(action,))
        async with self.home.house.database.read(self.home.org) as session:
            (newest,) = (await audit.commands(session, self.home.org, wanted, limit=1)).lines
        return newest.outcome.value, newest.code


@asynccontextmanager
async def counter(settings: Settings, clock: Clock) -> AsyncIterator[Counter]:
    """The house and the provider, both running."""
    async with Wicked().running() as provider:
        assert isinstance(provider, Wicked)
        chosen = settings.model_copy(update={"integrations": IntegrationSettings(demo_port=provider.server.port)})
        async with home(chosen, clock=clock) as found:
            yield Counter(home=found, provider=provider, session=new_id())
