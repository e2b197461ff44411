"""The record of a task, taken along and checked from the command line."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.kernel.ids import TaskId
from joule.kernel.settings import Settings
from tests.support.house import home


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs a command line against this test's own home and database, in its own folder."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "JOULE_HOME": str(settings.home),
        "JOULE_ENVIRONMENT": settings.environment,
        "JOULE_DATABASE_URL": settings.database.url.get_secret_value(),
        "JOULE_DATABASE_OWNER_URL": settings.database.owner_url.get_secret_value(),
    }.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ("trace", *arguments), prog_name="joule")

    return run


@pytest.fixture
def task(settings: Settings) -> TaskId:
    """A task that was done."""

    async def done() -> TaskId:
        async with home(settings) as here:
            await here.upload("a.txt", b"words")
            claim = here.claim("list my files")
            await here.run(claim)
            return claim.task

    return asyncio.run(done())


def test_a_record_is_taken_along_and_checked_without_an_installation(joule: Any, task: TaskId, tmp_path: Path) -> None:
    exported = joule("export", str(task), "-o", "record.zip", "--json")
    told = json.loads(joule("heads", "-o", "head.txt", "--json").stdout)
    again = joule("export", str(task), "-o", "record.zip")

    found = joule("verify", "record.zip", "--key", told["keys"][0]["key"], "--head", "head.txt", "--json")
    words = joule("verify", "record.zip")
    (tmp_path / "other.zip").write_bytes((tmp_path / "record.zip").read_bytes()[:-200])
    broken = joule("verify", "other.zip", "--json")

    assert exported.exit_code == 0
    assert again.exit_code == 1  # a file is never replaced
    assert json.loads(found.stdout)["intact"] is True
    assert json.loads(found.stdout)["rows"] == json.loads(exported.stdout)["rows"]
    assert (json.loads(found.stdout)["key_pinned"], json.loads(found.stdout)["kept_heads"]) == (True, 1)
    assert words.exit_code == 0
    assert "INTACT" in words.stdout
    assert (broken.exit_code, json.loads(broken.stdout)["intact"]) == (1, False)

    checked = joule("check", "--json")  # all of it, where it lies

    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["problems"] == []
    assert json.loads(checked.stdout)["rows"] > 0
    shown = joule("show", str(task), "--content", "--json")
    assert "list my files" in shown.stdout
    assert joule("deliver").exit_code == 1
    assert joule("deliver", "--to", "http://10.0.0.1/").exit_code == 1
