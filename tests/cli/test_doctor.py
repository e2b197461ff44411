"""The doctor finds what is wrong, says how to mend it, and is quiet about what is well."""

import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from joule.cli import _checks
from joule.cli._checks import Finding, findings
from joule.kernel.settings import EmbeddingSettings, Settings
from joule.vault.local_key_file import LocalKeyFile


@pytest.fixture
def installation(settings: Settings) -> Settings:
    """A home folder, a key file and a migrated database, as `joule up` leaves them."""
    LocalKeyFile.create(settings.key_file)
    settings.home.chmod(0o700)
    return settings


def alter(settings: Settings, **database: Any) -> Settings:
    return settings.model_copy(update={"database": settings.database.model_copy(update=database)})


async def finding(settings: Settings, check: str) -> Finding:
    return next(each for each in await findings(settings) if each.check == check)


async def test_a_sound_installation_lacks_only_a_worker(installation: Settings) -> None:
    wrong = {each.check for each in await findings(installation) if not each.ok}

    assert wrong == {"worker"}


async def test_what_is_well_needs_no_fix_and_what_is_wrong_has_one(installation: Settings) -> None:
    assert all(bool(each.fix) is not each.ok for each in await findings(installation))


async def test_a_worker_with_a_heartbeat_is_found(installation: Settings, owner_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("INSERT INTO queue.procrastinate_workers DEFAULT VALUES")

    assert (await finding(installation, "worker")).ok


async def test_a_key_file_others_can_read_is_found(installation: Settings) -> None:
    assert (await finding(installation, "keys")).ok

    installation.key_file.chmod(0o644)

    found = await finding(installation, "keys")
    assert not found.ok
    assert f"chmod 600 {installation.key_file}" in found.fix


async def test_a_missing_key_file_is_found_and_never_replaced(installation: Settings) -> None:
    installation.key_file.unlink()

    assert not (await finding(installation, "keys")).ok
    assert not installation.key_file.exists()


async def test_a_role_that_owns_tables_is_found(installation: Settings, owner_url: str) -> None:
    found = await finding(alter(installation, url=SecretStr(owner_url)), "role")

    assert not found.ok
    assert found.fix


async def test_a_table_whose_wall_was_taken_down_is_found(installation: Settings, owner_url: str) -> None:
    assert (await finding(installation, "walls")).ok

    with psycopg.connect(owner_url) as connection:
        connection.execute("ALTER TABLE memory_item NO FORCE ROW LEVEL SECURITY")

    assert "memory_item" in (await finding(installation, "walls")).found


async def test_an_outdated_schema_is_found(installation: Settings, owner_url: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")

    assert not (await finding(installation, "schema")).ok


async def test_a_database_that_is_away_is_found_and_nothing_raises(installation: Settings, tmp_path: Path) -> None:
    away = alter(installation, url=SecretStr(f"host={tmp_path} dbname=joule"))

    wrong = {each.check for each in await findings(away) if not each.ok}

    assert wrong == {"database", "role", "schema", "walls", "journal", "worker"}


async def test_a_misspelt_variable_is_found(installation: Settings) -> None:
    ok, found, _ = await _checks.variables(installation, {"JOULE_WEB_PORT": "1", "JOULE_WEB_PRT": "1", "PATH": "/"})

    assert not ok
    assert found == "unknown: JOULE_WEB_PRT"


async def test_a_model_without_its_key_is_found_without_telling_anybody(installation: Settings) -> None:
    hosted = installation.model_copy(
        update={"llm": installation.llm.model_copy(update={"name": "openai:gpt", "api_key": None, "base_url": None})}
    )

    found = await finding(hosted, "model")

    assert not found.ok
    assert "JOULE_MODEL_API_KEY" in found.fix


async def test_a_model_server_that_is_away_is_found(installation: Settings) -> None:
    away = {"name": "openai:gpt", "api_key": SecretStr("k"), "base_url": "http://127.0.0.1:9"}
    hosted = installation.model_copy(update={"llm": installation.llm.model_copy(update=away)})

    assert "127.0.0.1" in (await finding(hosted, "model")).fix


@pytest.mark.parametrize("mode", [0o770, 0o777])
async def test_a_home_folder_others_can_write_to_is_found(installation: Settings, mode: int) -> None:
    installation.home.chmod(mode)

    assert (await finding(installation, "home")).fix == f"Run `chmod go-w {installation.home}`."
    assert os.path.exists(installation.home)


async def test_the_model_for_meanings_is_tried_out_and_none_is_a_choice(installation: Settings) -> None:
    def named(name: str) -> Settings:
        return installation.model_copy(update={"embedding": EmbeddingSettings(name=name)})

    assert "all-minilm" in (await finding(named("local"), "meaning")).found
    assert (await finding(named("none"), "meaning")).ok
    assert "JOULE_EMBEDDING" in (await finding(named("elsewhere:m"), "meaning")).fix
