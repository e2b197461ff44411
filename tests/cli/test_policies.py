"""`joule policy` and `joule replay`: from a draft to what is in force and back, on a task that ran."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.kernel.ids import TaskId
from joule.kernel.settings import Settings
from tests.support.house import home
from tests.support.scripted_model import Says, ScriptedModel

Joule = Callable[..., Result]

OWN = (
    '@id("no files") @reason("we keep no files here") forbid (principal, '
    'action == Joule::Action::"memory.write_file", resource) when { context.via == "agent" };'
)
SCRIPT = [Says(calls=[("write_file", {"file_name": "plan.md", "text": "x"})]), Says(text="Done.")]


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Joule:
    """Runs a command line against this test's own home and database, in which somebody lives."""
    assert settings.database.url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="joule")

    return run


async def ran(settings: Settings) -> TaskId:
    async with home(settings, model=ScriptedModel(script=SCRIPT)) as found:
        claim = found.claim("write plan.md")
        await found.run(claim)
        return claim.task


def test_a_file_is_checked_drafted_asked_tried_enforced_and_rolled_back(
    joule: Joule, settings: Settings, tmp_path: Path
) -> None:
    task = asyncio.run(ran(settings))
    (tmp_path / "own.cedar").write_text(OWN)
    (tmp_path / "wide.cedar").write_text(OWN.replace("forbid", "permit"))
    file, wide = str(tmp_path / "own.cedar"), str(tmp_path / "wide.cedar")

    assert (joule("policy", "check", "--own", file).exit_code, joule("policy", "check", "--own", wide).exit_code) == (
        0,
        6,
    )
    assert "can only restrict" in joule("policy", "draft", wide).output
    assert json.loads(joule("policy", "draft", file, "--json").stdout)["state"] == "draft"

    asked = json.loads(joule("policy", "what-if", "--task", str(task), "--json").stdout)
    assert [(each["action"], each["now"]) for each in asked["lines"] if each["change"] != "unchanged"] == [
        ("memory.write_file", "deny")
    ]
    assert "1 of " in joule("policy", "what-if", "--days", "1").output
    assert joule("policy", "enforce").exit_code == 4
    assert json.loads(joule("policy", "publish", "--json").stdout)["state"] == "trial"
    assert json.loads(joule("policy", "enforce", "--json").stdout)["state"] == "enforced"

    replayed = joule("replay", str(task), "--lenient", "--values", "--json")
    assert replayed.exit_code == 1
    told = json.loads(replayed.stdout)
    assert [(each["kind"], each["at"], each["now"]) for each in told["differences"]] == [("D1", "act/0/0", "deny")]
    assert "out of force; only the policies Joule comes with" in joule("policy", "rollback").output
    assert joule("replay", str(task)).exit_code == 0
