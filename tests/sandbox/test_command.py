"""`joule sandbox list` and `kill`: an operator sees which sandboxes there are, and ends one."""

import asyncio
import json

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.kernel.settings import Settings
from tests.sandbox.conftest import Workshop


async def joule(*arguments: str) -> Result:
    """A command line, as from another process: beside the house that is open here."""
    return await asyncio.to_thread(CliRunner().invoke, main, ("sandbox", *arguments), prog_name="joule")


async def test_a_session_is_listed_and_ended_by_an_operator(
    workshop: Workshop, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    assert settings.database.url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)
    await workshop.runs("print('secret words')")

    (listed,) = json.loads((await joule("list", "--json")).stdout)["sessions"]
    ended = await joule("kill", listed["session"])
    again = await joule("list")

    assert (listed["state"], listed["boundary"], listed["runs"]) == ("warm", "namespace", 1)
    assert ended.exit_code == 0, ended.output
    assert "ended (asked)" in again.stdout
    assert "secret words" not in again.stdout
    await workshop.sweep()
    assert (await workshop.runs("print('new')"))["fresh"]
