"""`joule sandbox`: it says whether code can be run safely here, and what to do when not; it really tries."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from joule.cli._checks import findings
from joule.cli.main import main
from joule.kernel.ids import new_id
from joule.kernel.settings import Settings
from tests.house.source import ROOT
from tests.support.house import home

Joule = Callable[..., Result]
HERE = ["bwrap", "--dev-bind", "/", "/"]


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Joule:
    """Runs a command line against this test's own home and database."""
    assert settings.database.url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)

    def run(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(main, ("sandbox", *arguments), input=given, prog_name="joule")

    return run


def probed(*within: str) -> subprocess.CompletedProcess[str]:
    """What `joule sandbox probe` says on a machine that is changed as the options say."""
    command = [*HERE, *within, sys.executable, "-m", "joule.cli", "sandbox", "probe"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOULE_")}
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=False)


def test_it_says_what_stands_between_the_code_and_the_machine(joule: Joule):
    ran = joule("probe", "--json")

    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout) == {"ok": True, "backend": "local", "boundary": "namespace", "reason": "", "fix": ""}


def test_it_starts_on_this_machine_as_it_is():
    assert probed().returncode == 0


def test_without_bubblewrap_it_says_what_to_install():
    ran = probed("--ro-bind", "/dev/null", "/usr/bin/bwrap")

    assert ran.returncode == 1
    assert "bubblewrap is not installed" in ran.stdout
    assert "apt-get install bubblewrap" in ran.stdout


def test_where_namespaces_are_forbidden_it_says_what_to_allow():
    ran = probed("--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns")

    assert ran.returncode == 1
    assert "this system lets no program make user namespaces" in ran.stdout
    assert "AppArmor" in ran.stdout
    assert "--security-opt" in ran.stdout


def test_a_program_of_the_operator_runs_in_a_sandbox_and_says_how_it_ended(joule: Joule, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    code = f"import os, sys\nprint(os.path.exists({str(secret)!r}), '\\033[31m')\nsys.exit(4)"

    ran = joule("run", "-", "--json", given=code)

    told = json.loads(ran.stdout)
    assert (told["stdout"], told["code"], told["killed_by"]) == ("False \ufffd[31m\n", 4, None)
    assert ran.exit_code == 1
    assert joule("run", "-", given="print('well')").stdout.startswith("well\n")


def test_a_kind_that_cannot_be_started_says_what_to_do(joule: Joule, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("E2B_API_KEY", raising=False)

    ran = joule("probe", "--kind", "e2b", "--json")

    assert ran.exit_code == 1
    told = json.loads(ran.stdout)
    assert (told["ok"], told["backend"], told["boundary"]) == (False, "e2b", "microvm")
    assert "JOULE_E2B_API_KEY" in told["fix"]


async def test_an_organisation_chooses_its_kind_and_leaves_it_to_the_operator_again(settings: Settings, joule: Joule):
    import asyncio

    async with home(settings):
        chosen = await asyncio.to_thread(joule, "choose", "local", "--json")
        said = await asyncio.to_thread(joule, "choose", "--json")
        refused = await asyncio.to_thread(joule, "choose", "e2b")
        back = await asyncio.to_thread(joule, "choose", "--usual")
        after = await asyncio.to_thread(joule, "choose", "--json")

    assert json.loads(chosen.stdout) == {"backend": "local", "boundary": "namespace"}
    assert json.loads(said.stdout)["chosen"] == "local"
    assert refused.exit_code == 1
    assert "Nothing was changed" in refused.stdout
    assert back.exit_code == 0
    assert json.loads(after.stdout) == {"chosen": None, "usual": "local", "offered": ["local", "gvisor", "e2b"]}


async def test_the_doctor_tries_it_too(settings: Settings):
    found = {each.check: each for each in await findings(settings)}

    assert found["sandbox"].ok
    assert found["sandbox"].found == "local sandbox (namespace) started and held"
    assert "joule sandbox install-pack" in found["pack"].found


async def test_there_are_no_sessions_yet_and_none_to_end(settings: Settings, joule: Joule):
    import asyncio

    async with home(settings):
        listed = await asyncio.to_thread(joule, "list", "--json")
        ended = await asyncio.to_thread(joule, "kill", str(new_id()))

    assert json.loads(listed.stdout) == {"sessions": []}
    assert ended.exit_code == 4
