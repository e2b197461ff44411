"""`joule task` and `joule trace access`: found by what a step did, read only on record, granted and ended."""

import asyncio
import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.identity.actions import InvitePerson
from joule.kernel.ids import TaskId
from joule.kernel.principal import Role
from joule.kernel.settings import Settings
from joule.tasks.actions import StartTask
from tests.support.house import home
from tests.support.scripted_model import Says, ScriptedModel
from tests.web.conftest import Site
from tests.web.test_conversation import until, working

Joule = Callable[..., Result]
SCRIPT = [Says(calls=[("write_file", {"file_name": "plan.md", "text": "heliotrope"})]), Says(text="The tangerine.")]


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Joule:
    """Runs a command line against this test's own home and database."""
    assert settings.database.url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="joule")

    return run


async def worked(settings: Settings) -> TaskId:
    """A task that has ended, and somebody of support."""
    async with home(settings, model=ScriptedModel(script=SCRIPT)) as found:
        invite = {"person_name": "Sam", "email": "sam@support.test", "role": Role.SUPPORT}
        await found.house.commands.perform(InvitePerson(principal=found.owner, **invite))
        started = await found.house.commands.perform(
            StartTask(
                principal=found.owner, project=found.project, text="write plan.md, key sk-proj-4f9aK2mZ8qR1tY7uI0"
            )
        )
        site = Site(app=None, home=found, model=None)  # type: ignore[arg-type]
        async with working(site):
            await until(site, started.task, "done")
        return started.task


def test_a_task_is_found_and_its_words_are_read_on_record(joule: Joule, settings: Settings) -> None:
    task = asyncio.run(worked(settings))

    found = json.loads(joule("task", "list", "--tool", "write_file", "--decision", "allow", "--json").stdout)
    none = json.loads(joule("task", "list", "--code", "llm.none", "--json").stdout)
    steps = joule("task", "show", str(task), "--steps")
    before = json.loads(joule("trace", "access", "list", "--json").stdout)
    shown = joule("task", "show", str(task))
    as_sam = ("--as", "sam@support.test", "--part", "answer", "--reason", "it is wrong")
    asked = json.loads(joule("trace", "access", "request", str(task), *as_sam, "--json").stdout)["access"]
    twice = joule("trace", "access", "request", str(task), *as_sam)
    more = joule("trace", "access", "grant", asked, "--part", "results")
    granted = joule("trace", "access", "grant", asked, "--hours", "2")
    ended = joule("trace", "access", "revoke", asked)
    listed = json.loads(joule("trace", "access", "list", "--json").stdout)

    assert [each["task"] for each in found["tasks"]] == [str(task)]
    assert (none["tasks"], none["next"]) == ([], None)
    assert "heliotrope" not in steps.stdout
    assert "write_file" in steps.stdout
    assert before["reads"] == []  # steps are no words
    assert "write plan.md" in shown.stdout
    assert "sk-proj" not in shown.stdout
    assert (twice.exit_code, more.exit_code, granted.exit_code, ended.exit_code) == (1, 1, 0, 0)
    assert "answer" in granted.stdout
    assert [each["state"] for each in listed["accesses"]] == ["revoked"]
    assert [each["role"] for each in listed["reads"]] == ["owner"]
