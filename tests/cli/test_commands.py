"""The commands that need no running Joule: each says what it did, in words and as JSON."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from joule.cli._first_start import ensure_key_file
from joule.cli._installation import read_settings
from joule.cli.main import main
from joule.database import age
from joule.kernel.errors import Misconfigured
from joule.kernel.settings import Settings


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command line against this test's own home and database."""
    for name, value in {
        "JOULE_HOME": str(settings.home),
        "JOULE_DATABASE_URL": settings.database.url.get_secret_value(),
        "JOULE_DATABASE_OWNER_URL": settings.database.owner_url.get_secret_value(),
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="joule")

    return run


def test_a_wrong_command_is_a_wrong_use(joule: Any) -> None:
    assert joule("fly").exit_code == 2
    assert joule("task", "show", "not-an-id").exit_code == 2


def test_the_version_is_told(joule: Any) -> None:
    ran = joule("--version")

    assert ran.exit_code == 0
    assert ran.output.startswith("joule 0.")


def test_a_setting_that_cannot_be_used_is_named_without_its_value(joule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULE_WEB_PORT", "s3cret")

    ran = joule("migrate", "--json")

    assert ran.exit_code == 6
    assert json.loads(ran.stdout)["error"]["code"] == "joule.misconfigured"
    assert "port" in ran.stdout.lower()
    assert "s3cret" not in ran.output


def test_migrating_a_current_schema_changes_nothing(joule: Any) -> None:
    ran = joule("migrate", "--json")

    assert ran.exit_code == 0
    assert json.loads(ran.stdout) == {"before": age.head(), "after": age.head(), "changed": False}


def test_the_data_map_names_every_table_with_its_end(joule: Any) -> None:
    tables = json.loads(joule("privacy", "data-map", "--json").stdout)["tables"]

    by_name = {each["table"]: each for each in tables}
    assert by_name["memory_item"]["owner"] == "project"
    assert all(each["holds"] and each["ends"] for each in tables)
    assert "memory_item" in joule("privacy", "data-map").stdout


def test_the_shipped_policies_can_be_used(joule: Any) -> None:
    ran = joule("policy", "check", "--json")

    assert ran.exit_code == 0
    assert "memory.write_file" in json.loads(ran.stdout)["actions"]


@pytest.mark.parametrize(
    "text",
    [
        "permit(principal, action, resource);",
        '@id("x") @reason("y") permit(principal, action == Joule::Action::"memory.fly", resource);',
        '@id("x") @reason("y") permit(principal, action, resource) when { context.misspelt };',
        "not cedar at all",
    ],
    ids=["no id", "unknown action", "unknown fact", "not cedar"],
)
def test_a_policy_that_does_not_fit_is_refused_before_it_is_used(joule: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.cedar").write_text(text)

    assert joule("policy", "check", str(tmp_path)).exit_code == 6


def test_a_policy_that_fits_passes(joule: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.cedar").write_text(
        '@id("x") @reason("y") permit(principal, action == Joule::Action::"memory.write_file", resource);'
    )

    assert joule("policy", "check", str(tmp_path)).exit_code == 0


def test_a_key_file_is_made_once_and_never_replaced(joule: Any, tmp_path: Path) -> None:
    assert joule("vault", "create-key-file").exit_code == 0
    made = (tmp_path / "keys" / "kek.json").read_bytes()

    again = joule("vault", "create-key-file")

    assert again.exit_code == 6
    assert (tmp_path / "keys" / "kek.json").read_bytes() == made


def test_the_very_first_start_makes_the_key_file(settings: Settings) -> None:
    ensure_key_file(settings, first=True)

    assert settings.key_file.stat().st_mode & 0o777 == 0o600


def test_a_later_start_without_the_key_file_refuses_and_makes_none(settings: Settings) -> None:
    with pytest.raises(Misconfigured) as refused:
        ensure_key_file(settings, first=False)

    assert "Restore the key file" in refused.value.advice()
    assert not settings.key_file.exists()


def test_a_start_with_the_key_file_leaves_it_as_it_is(settings: Settings) -> None:
    ensure_key_file(settings, first=True)
    made = settings.key_file.read_bytes()

    ensure_key_file(settings, first=False)

    assert settings.key_file.read_bytes() == made


def test_benchmarks_are_listed_and_an_unknown_one_is_not_found(joule: Any) -> None:
    assert joule("bench").exit_code == 0
    assert joule("bench", "fly").exit_code == 4
    assert joule("bench", "fly", "--kills").exit_code == 1


def test_settings_are_read_from_the_environment(joule: Any, settings: Settings) -> None:
    assert read_settings().home == settings.home


def test_a_port_that_is_taken_is_told_before_anything_starts(
    joule: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("JOULE_WEB_PORT", str(taken.getsockname()[1]))

        ran = joule("up", "--json")

    assert ran.exit_code == 6
    assert "JOULE_WEB_PORT" in json.loads(ran.stdout)["error"]["advice"]
    assert not settings.key_file.exists()
