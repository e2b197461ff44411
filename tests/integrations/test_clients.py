"""Who Joule is at a provider: the organisation's own app first, else the deployment's; secrets sealed, never shown."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from integrations import queries
from integrations.actions import SetProviderClient
from integrations.clients import Clients, read_file
from integrations.errors import NoClient
from integrations.oauth.secret import Secret as Held
from integrations.oauth.wire import ClientIdentity
from integrations.results import Secret
from joule.kernel.errors import Invalid, Misconfigured
from tests.support.accounts import Office


def setting(here: Office, secret: str, *, client_id: str = "mine", keep_former: bool = False) -> SetProviderClient:
    return SetProviderClient(
        principal=here.owner,
        provider="hubspot",
        client_id=client_id,
        client_secret=Secret(secret),
        keep_former=keep_former,
    )


async def found(here: Office, clients: Clients, provider: str = "hubspot") -> ClientIdentity:
    async with here.home.house.database.read(here.home.org) as session:
        return await clients.of(session, here.home.org, provider)


async def test_the_organisations_own_app_comes_before_the_deployments(here: Office):
    clients = Clients(vault=here.home.house.vault, deployment={"hubspot": ClientIdentity(client_id="everybodys")})
    assert (await found(here, clients)).client_id == "everybodys"

    await here.do(setting(here, "canary-1"))

    assert (await found(here, clients)).client_id == "mine"
    await here.do(setting(here, "", client_id=""))
    assert (await found(here, clients)).client_id == "everybodys"


async def test_a_secret_is_replaced_without_a_gap_when_asked(here: Office):
    clients = Clients(vault=here.home.house.vault, deployment={})
    await here.do(setting(here, "canary-1"))

    await here.do(setting(here, "canary-2", keep_former=True))
    both = await found(here, clients)
    await here.do(setting(here, "canary-3"))
    alone = await found(here, clients)

    assert (both.client_secret, both.next_secret) == (Held("canary-2"), Held("canary-1"))
    assert (alone.client_secret, alone.next_secret) == (Held("canary-3"), None)


async def test_an_app_serves_the_whole_family(here: Office):
    clients = Clients(vault=here.home.house.vault, deployment={"google_ads": ClientIdentity(client_id="one app")})

    assert (await found(here, clients, "google_analytics_4")).client_id == "one app"
    with pytest.raises(NoClient):
        await found(here, clients, "hubspot")


async def test_a_secret_stands_nowhere_in_clear_and_is_not_shown(here: Office):
    await here.do(setting(here, "canary-secret"))

    async with here.home.house.database.read(here.home.org) as session:
        tables = ("provider_client", "trace_event", "trace_content")
        dumped = [str((await session.execute(text(f"SELECT t::text FROM {t} t"))).all()) for t in tables]
        shown = await queries.client(session, here.home.house.vault, here.home.org, "hubspot")

    assert not [each for each in dumped if "canary-secret" in each or b"canary-secret".hex() in each]
    assert shown is not None
    assert (shown.client_id, shown.has_secret) == ("mine", True)


async def test_what_cannot_be_a_secret_is_refused(here: Office):
    with pytest.raises(Invalid):
        await here.do(setting(here, "two\nlines"))


def test_the_deployments_file_is_refused_when_others_can_read_it(tmp_path: Path):
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"hubspot": {"client_id": "a", "client_secret": "canary"}}))
    path.chmod(0o644)
    with pytest.raises(Misconfigured, match="others"):
        read_file(path)

    path.chmod(0o600)

    assert read_file(path)["hubspot"].client_secret == Held("canary")


@pytest.mark.parametrize("words", ["", "[]", "{", '{"hubspot": {}}', '{"nobody": {"client_id": "a"}}'])
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, words: str):
    path = tmp_path / "clients.json"
    path.write_text(words)
    path.chmod(0o600)

    with pytest.raises(Misconfigured):
        read_file(path)


def test_without_a_file_the_deployment_has_no_apps():
    assert read_file(None) == {}
