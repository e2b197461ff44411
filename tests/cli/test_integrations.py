"""`joule integrations`: what is connected, how it does, and its end; in words and as JSON, without a secret."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integrations.catalogue.load import catalogue
from integrations.clients import Clients
from integrations.oauth.wire import ClientIdentity, ServerMetadata
from integrations.pins import Pins
from joule.assembly import open_house
from joule.cli.main import main
from joule.identity import queries as people
from joule.identity.deployment import DEPLOYMENT
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.settings import Settings
from tests.house.source import ROOT
from tests.support.house import home
from tests.web.connected import Account, connected

Joule = Callable[..., Result]
ISSUER = "https://public-api.wordpress.com"


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Joule:
    """Runs a command line against this test's own home and database."""
    assert settings.database.url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ("integrations", *arguments), prog_name="joule")

    return run


def there(settings: Settings, *, provider: str = "demo_crm", status: str = "active") -> Account:
    """An account that is connected in a house of its own."""

    async def made() -> Account:
        async with home(settings) as found:
            return await connected(found, provider, status=status)

    return asyncio.run(made())


def test_a_provider_is_found_and_described_in_words(joule: Joule) -> None:
    shown = joule("show", "google_ads", "--json")

    told = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert told["splits_read_from_write"] is False
    assert told["could"]["spend"] == catalogue().provider("google_ads").could["spend"]
    assert "Not verified" in joule("show", "google_ads").stdout


def test_a_provider_whose_published_settings_changed_is_told_and_can_be_accepted(
    joule: Joule, settings: Settings
) -> None:
    async def changed() -> None:
        async with home(settings) as found:
            org, decision = found.org, DecisionId(new_id())
            pins = Pins(database=found.house.database, vault=found.house.vault, clock=found.house.clock)
            seen = ServerMetadata(issuer=ISSUER, authorization_endpoint=f"{ISSUER}/a", token_endpoint=f"{ISSUER}/t")
            await pins.keep(org, "wordpress_com", seen, decision=decision)
            await pins.note(org, "wordpress_com", ISSUER, refused=True, decision=decision)

    asyncio.run(changed())

    before = json.loads(joule("doctor", "--json").stdout)
    accepted = json.loads(joule("accept", "wordpress_com", "--json").stdout)

    assert [each["status"] for each in before["connections"] if not each["ok"]] == ["issuer_changed"]
    assert accepted["pins"] == 1
    assert joule("doctor").exit_code == 0


def test_connectors_of_others_are_listed_and_a_name_nobody_brings_is_told(
    joule: Joule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "support" / "connector"))
    off = json.loads(joule("connectors", "--json").stdout)["connectors"]
    monkeypatch.setenv("JOULE_INTEGRATIONS_CONNECTORS", "sample_crm")
    on = json.loads(joule("connectors", "--json").stdout)["connectors"]
    monkeypatch.setenv("JOULE_INTEGRATIONS_CONNECTORS", "sample_crm, nobody")
    wrong = joule("connectors")

    assert [(each["name"], each["enabled"]) for each in off] == [("sample_crm", False)]
    assert [(each["name"], each["enabled"]) for each in on] == [("sample_crm", True)]
    assert wrong.exit_code == 1
    assert "no package brings it" in wrong.stdout


def test_a_provider_of_an_enabled_connector_is_listed_shown_and_connected_like_any_other(
    joule: Joule, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(settings, provider="sample_crm")
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "support" / "connector"))
    before = joule("show", "sample_crm")
    broken = joule("doctor")
    monkeypatch.setenv("JOULE_INTEGRATIONS_CONNECTORS", "sample_crm")

    listed = json.loads(joule("list", "--connected", "--json").stdout)
    shown = json.loads(joule("show", "sample_crm", "--json").stdout)
    begun = json.loads(joule("connect", "sample_crm", "--json").stdout)

    assert before.exit_code == 4
    assert (broken.exit_code, "connector is switched off" in broken.stdout) == (1, True)
    assert [(each["id"], each["connected"]) for each in listed["providers"]] == [("sample_crm", 1)]
    assert [each["provider"] for each in listed["connections"]] == ["sample_crm"]
    assert "count_contacts" in {each["id"] for each in shown["operations"]}
    assert begun["redirect_uri"].endswith("/integrations/callback/sample_crm")
    assert joule("doctor").exit_code == 0


def test_an_app_is_registered_with_a_private_key_and_a_further_secret_from_files(
    joule: Joule, settings: Settings, tmp_path: Path
) -> None:
    there(settings)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "token").write_text("developer-token-7\n")

    made = joule(
        *("client", "google_ads", "--client-id", "app", "--key-file", str(tmp_path / "key.pem"), "--key-id", "k1"),
        *("--extra", f"developer_token={tmp_path / 'token'}", "--json"),
    )
    wrong = joule("client", "google_ads", "--client-id", "app", "--key-file", str(tmp_path / "token"))
    other = joule("client", "google_ads", "--client-id", "app", "--key-file", str(tmp_path / "key.pem"), "--key-algorithm", "RS256")  # fmt: skip
    neither = joule("client", "google_ads")

    assert made.exit_code == 0, made.output
    assert "PRIVATE" not in made.output
    assert [each.exit_code for each in (wrong, other, neither)] == [1, 1, 1]

    async def kept() -> tuple[ClientIdentity, str]:
        async with open_house(settings) as house:
            async with house.database.read(DEPLOYMENT) as session:
                org = (await people.organisations(session))[0]
            clients = Clients(vault=house.vault, deployment={})
            async with house.database.read(org) as session:
                found = await clients.of(session, org, "google_ads")
                further = await clients.further(session, org, "google_ads")
        return found, further["developer_token"].reveal()

    found, further = asyncio.run(kept())
    assert found.private_key is not None
    assert found.private_key.reveal() == pem.decode()
    assert (found.client_id, found.key_id, found.key_algorithm, further) == ("app", "k1", "ES256", "developer-token-7")
    assert json.loads(joule("client", "google_ads", "--forget", "--json").stdout)["client"] is None


def test_a_provider_or_a_connection_that_is_not_there_is_said_so(joule: Joule, settings: Settings) -> None:
    there(settings)

    assert joule("show", "nobody").exit_code == 4
    assert joule("show", "0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f").exit_code == 4
    assert joule("revoke", "0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f").exit_code == 4


def test_connecting_names_the_page_and_the_redirect_address(joule: Joule) -> None:
    told = json.loads(joule("connect", "demo_crm", "--scope", "notes.write", "--json").stdout)

    assert told["open"].endswith("/admin/integrations/demo_crm?scope=notes.write#connect")
    assert told["redirect_uri"].endswith("/integrations/callback/demo_crm")
    assert joule("connect", "demo_crm", "--scope", "everything").exit_code == 1
    assert joule("connect", "nobody").exit_code == 4


def test_an_account_is_listed_shown_disconnected_and_gone(joule: Joule, settings: Settings) -> None:
    account = there(settings)

    listed = json.loads(joule("list", "--connected", "--json").stdout)
    shown = json.loads(joule("show", str(account.connection), "--json").stdout)
    ended = joule("revoke", str(account.connection), "--json")
    again = joule("revoke", str(account.connection))
    after = json.loads(joule("list", "--connected", "--json").stdout)

    assert [each["id"] for each in listed["providers"]] == ["demo_crm"]
    assert shown["account"] == "ada@harbour.test"
    assert shown["status"] == "active"
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["revocation"] is not None
    assert again.exit_code == 1
    assert after == {"providers": [], "connections": []}
    assert "ada@harbour.test" in joule("show", str(account.connection)).stdout


def test_whoever_disconnects_hears_that_the_provider_has_no_way_to_be_told(joule: Joule, settings: Settings) -> None:
    account = there(settings, provider="mailchimp")

    ended = joule("revoke", str(account.connection))

    assert ended.exit_code == 0, ended.output
    assert "no way to be told" in ended.stdout
    assert catalogue().provider("mailchimp").settings_words in ended.stdout


def test_doctor_is_content_with_what_works(joule: Joule, settings: Settings) -> None:
    there(settings)

    ran = joule("doctor", "--json")

    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["ok"] is True


def test_doctor_says_what_to_mend_and_fails(joule: Joule, settings: Settings) -> None:
    there(settings, status="needs_reconnecting")

    ran = joule("doctor", "--json")

    (found,) = json.loads(ran.stdout)["connections"]
    assert ran.exit_code == 1
    assert "joule integrations connect demo_crm" in found["fix"]
