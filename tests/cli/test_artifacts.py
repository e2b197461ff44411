"""`joule artifacts`: what came out of sandboxes, by the operator's hand."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.kernel.settings import Settings
from tests.sandbox.conftest import Workshop
from tests.support.house import home
from tests.support.scripted_model import Says, ScriptedModel


async def joule(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, prog_name="joule")


async def test_an_artifact_is_listed_fetched_pinned_and_deleted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert settings.database.url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)
    model = ScriptedModel(script=[Says(text="Hello.")])
    async with home(settings, model=model) as found:
        await Workshop(home=found, model=model).runs("open('out/report.txt', 'w').write('the numbers')")

        listed = json.loads((await joule("artifacts", "list", "--json")).stdout)["artifacts"]
        name, target = str(listed[0]["artifact"]), tmp_path / "report.txt"
        got = await joule("artifacts", "get", name, str(target))
        again = await joule("artifacts", "get", name, str(target))
        pinned = json.loads((await joule("artifacts", "pin", name, "--json")).stdout)
        deleted = await joule("artifacts", "delete", name)
        left = json.loads((await joule("artifacts", "list", "--json")).stdout)["artifacts"]
        gone = json.loads((await joule("artifacts", "list", "--gone", "--json")).stdout)["artifacts"]

    assert [each["name"] for each in listed] == ["report.txt"]
    assert (got.exit_code, target.read_text()) == (0, "the numbers")
    assert again.exit_code != 0  # nothing is overwritten
    assert pinned["pinned"] is True
    assert (deleted.exit_code, left) == (0, [])
    assert [(each["name"], each["cause"]) for each in gone] == [(None, "deleted")]
