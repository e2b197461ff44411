"""Keys are replaced from the command line while everything goes on opening, and no key goes that something still needs."""

import asyncio
import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.kernel.settings import Settings
from joule.vault.local_key_file import LocalKeyFile
from tests.cli.test_integrations import there

Joule = Callable[..., Result]


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Joule:
    """Runs a command line against this test's own home and database, as its operator."""
    assert settings.database.url is not None
    assert settings.database.owner_url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_DATABASE_OWNER_URL", settings.database.owner_url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="joule")

    return run


def account(joule: Joule, connection: object) -> str:
    told = json.loads(joule("integrations", "show", str(connection), "--json").stdout)
    return f"{told['account']} {told['status']}"


def test_connections_get_new_keys_and_go_on_working(joule: Joule, settings: Settings) -> None:
    made = there(settings)
    before = account(joule, made.connection)

    done = joule("integrations", "rotate-keys", "--batch", "1", "--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 0, done.output
    assert told["rows"] > 0
    assert told["left"] == 0
    assert "left" in done.stderr
    assert account(joule, made.connection) == before
    again = json.loads(joule("integrations", "rotate-keys", "--before", told["before"], "--json").stdout)
    assert (again["accounts"], again["rows"]) == (0, 0)  # a run that is gone on with does nothing twice


def test_a_time_that_is_none_or_to_come_is_refused(joule: Joule, settings: Settings) -> None:
    there(settings)

    assert joule("integrations", "rotate-keys", "--before", "yesterday").exit_code == 2
    assert joule("integrations", "rotate-keys", "--before", "2199-01-01").exit_code == 1


def test_the_key_file_gets_a_new_key_and_loses_the_old_one_once_nothing_needs_it(
    joule: Joule, settings: Settings
) -> None:
    made = there(settings)
    before, file = account(joule, made.connection), LocalKeyFile(settings.key_file)
    first = asyncio.run(file.current()).kek_id

    rotated = json.loads(joule("vault", "rotate-key", "--json").stdout)
    retired = json.loads(joule("vault", "retire-key", "--json").stdout)

    assert rotated["moved"] > 0
    assert rotated["left"] == 0
    assert rotated["key"] != first
    assert retired == {"retired": [first]}
    assert asyncio.run(LocalKeyFile(settings.key_file).former()) == ()
    assert account(joule, made.connection) == before


def test_a_key_that_something_needs_is_not_retired_until_rewrapping_has_moved_it(
    joule: Joule, settings: Settings
) -> None:
    there(settings)
    file = LocalKeyFile(settings.key_file)
    first = asyncio.run(file.current()).kek_id
    asyncio.run(file.add())

    refused = joule("vault", "retire-key", first, "--json")
    moved = json.loads(joule("vault", "rewrap", "--json").stdout)
    after = joule("vault", "retire-key", first)

    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"]["code"] == "vault.key_in_use"
    assert moved["left"] == 0
    assert after.exit_code == 0, after.output
