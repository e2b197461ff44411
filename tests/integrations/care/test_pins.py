"""What an issuer published when it was first asked is what every process goes on trusting, until an admin accepts a change."""

import json
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from integrations import pins
from integrations.care.actions import AcceptIssuer
from integrations.clients import Clients
from integrations.endpoints import ProviderEndpoints
from integrations.oauth.errors import DiscoveryRefused
from integrations.oauth.secret import Secret
from integrations.oauth.sending import HttpPolicy
from integrations.oauth.wire import ClientIdentity
from integrations.pins import Pins, PinView
from joule.kernel.errors import Refused
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.principal import Role
from tests.support.accounts import Office
from tests.support.clock import StoppedClock

PROVIDER, BASE = "wordpress_com", "https://public-api.wordpress.com"


class Publishing(httpx2.AsyncBaseTransport):
    """The network's end: answers every question with one document, as it comes over a wire."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=_Body(json.dumps(self._document).encode()))


class _Body(httpx2.AsyncByteStream):
    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._whole


class Issuer:
    """What WordPress.com would publish, as far as it goes."""

    def __init__(self, here: Office, clock: StoppedClock) -> None:
        self._here, self._clock = here, clock
        self.published: dict[str, Any] = {
            "issuer": BASE,
            "authorization_endpoint": f"{BASE}/oauth2-1/authorize",
            "token_endpoint": f"{BASE}/oauth2-1/token",
            "code_challenge_methods_supported": ["S256"],
        }

    async def consented(self) -> None:
        """A consent begun in a process that has just started."""
        house, org = self._here.home.house, self._here.home.org
        client = ClientIdentity(client_id="app", client_secret=Secret("app-secret"))
        answering = Publishing(self.published)
        endpoints = ProviderEndpoints(
            pins=Pins(database=house.database, vault=house.vault, clock=self._clock),
            clients=Clients(vault=house.vault, deployment=MappingProxyType({PROVIDER: client})),
            http=lambda _: HttpPolicy(deadline_seconds=2.0, transport=answering),
            clock=self._clock,
        )
        async with house.database.read(org) as session:
            opening = await endpoints.for_consent(session, org, PROVIDER, tenant=None, decision=DecisionId(new_id()))
        await opening()

    async def pinned(self) -> tuple[PinView, ...]:
        async with self._here.home.house.database.read(self._here.home.org) as session:
            return await pins.pins(session, self._here.home.org)


@pytest.fixture
def issuer(here: Office, clock: StoppedClock) -> Issuer:
    return Issuer(here, clock)


async def test_rule_23_a_change_is_refused_by_a_process_that_never_saw_the_first(issuer: Issuer):
    await issuer.consented()
    issuer.published["token_endpoint"] = f"{BASE}/oauth2-2/token"

    with pytest.raises(DiscoveryRefused) as refused:
        await issuer.consented()

    assert refused.value.has_changed
    assert "changed since they were accepted" in str(refused.value)
    (pin,) = await issuer.pinned()
    assert pin.refused_at is not None


async def test_rule_23_a_protection_that_went_is_refused_and_one_that_came_is_not(issuer: Issuer):
    await issuer.consented()
    issuer.published["authorization_response_iss_parameter_supported"] = True
    await issuer.consented()

    issuer.published["code_challenge_methods_supported"] = ["plain"]
    with pytest.raises(DiscoveryRefused):
        await issuer.consented()

    issuer.published["code_challenge_methods_supported"] = ["S256"]
    await issuer.consented()
    assert [each.refused_at for each in await issuer.pinned()] == [None]  # it is as it was


async def test_an_admin_accepts_what_changed(here: Office, issuer: Issuer):
    await issuer.consented()
    issuer.published["token_endpoint"] = f"{BASE}/oauth2-2/token"
    with pytest.raises(DiscoveryRefused):
        await issuer.consented()
    with pytest.raises(Refused):
        await here.do(AcceptIssuer(principal=here.somebody(Role.MEMBER), provider=PROVIDER))

    accepted = await here.do(AcceptIssuer(principal=here.owner, provider=PROVIDER))
    await issuer.consented()

    assert accepted.pins == 1
    assert [each.refused_at for each in await issuer.pinned()] == [None]


async def test_what_was_published_is_sealed(here: Office, issuer: Issuer):
    await issuer.consented()

    async with here.home.house.database.read(here.home.org) as session:
        dumped = str((await session.execute(text("SELECT t::text FROM issuer_pin t"))).all())

    assert "issuer_pin" not in dumped
    assert PROVIDER in dumped
    assert b"oauth2-1".hex() not in dumped
