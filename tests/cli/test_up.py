"""`joule up` as a newcomer meets it: one command, one link, the main job, and a clean end."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from joule.cli.main import main
from tests.support.postgres import roomy_folder

REQUEST = (
    "Summarise what worked in campaigns.csv in our brand voice, save it as summary.md, "
    "and remember that we never use exclamation marks"
)

pytestmark = pytest.mark.slow


def environment(home: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOULE_")}
    return {**clean, "JOULE_HOME": str(home), "JOULE_WEB_PORT": "0"}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """One home folder, and the command line over it."""

    home: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, in this process: each one of its own would spend two seconds on loading the house."""
        variables = environment(self.home)
        others = dict.fromkeys(os.environ.keys() - variables.keys())
        ran = CliRunner().invoke(main, arguments, env={**others, **variables}, prog_name="joule")
        return subprocess.CompletedProcess(arguments, ran.exit_code, ran.stdout, ran.stderr)

    def run_apart(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own."""
        command = [sys.executable, "-m", "joule.cli", *arguments]
        return subprocess.run(
            command, env=environment(self.home), capture_output=True, text=True, timeout=100, check=False
        )

    def told(self, *arguments: str) -> Any:
        """What a command that succeeds says in JSON."""
        ran = self.run(*arguments, "--json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    def up(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "joule.cli", "up", "--json", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=environment(self.home), **pipes)  # type: ignore[call-overload,no-any-return]


def document(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The one JSON object that `joule up` prints once it serves."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            told = dict(json.loads("".join(lines)))
            assert "url" in told, told
            return told
    raise AssertionError((process.stderr.read() if process.stderr else "") + "".join(lines))


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    return process.returncode


def open_folder() -> Path:
    """A folder for a home: as root the server runs as another user, who has to pass through it."""
    folder = roomy_folder()
    folder.chmod(0o711)
    return folder


@pytest.fixture
def home() -> Iterator[Path]:
    folder = open_folder()
    yield folder / "joule"
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class Running:
    """An installation that is up."""

    installation: Installation
    process: subprocess.Popen[str]
    link: dict[str, Any]

    def pids(self, name: str) -> set[int]:
        """The processes of `joule NAME` under this `joule up`."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return {each.pid for each in children if name in _words(each)}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    folder = open_folder()
    installation = Installation(home=folder / "joule")
    process = installation.up()
    try:
        yield Running(installation=installation, process=process, link=document(process))
    finally:
        ended(process)
        shutil.rmtree(folder, ignore_errors=True)


def test_no_process_of_ours_can_leave_a_core_file(running: Running) -> None:
    family = [running.process.pid, *running.pids("web")]

    limits = {pid: Path(f"/proc/{pid}/limits").read_text() for pid in family}

    assert len(limits) == 2
    assert all(re.search(r"Max core file size +[01] +[01] ", each) for each in limits.values())


def test_the_first_start_founds_a_workspace_and_gives_a_link_that_opens(running: Running) -> None:
    assert running.link["founded"] is True
    assert running.link["model"] == "offline"
    with urllib.request.urlopen(running.link["url"], timeout=20) as page:
        assert page.status == 200
        assert b"Sign in" in page.read()


def test_the_key_file_and_the_home_folder_are_closed_to_others(running: Running) -> None:
    home = running.installation.home

    assert (home / "keys" / "kek.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o066 == 0
    assert (home / "logs").stat().st_mode & 0o077 == 0


def test_the_doctor_finds_nothing_wrong(running: Running) -> None:
    assert running.installation.told("doctor")["ok"] is True


def test_a_second_start_over_the_same_home_is_refused(running: Running) -> None:
    ran = running.installation.run_apart("up", "--json")

    assert ran.returncode == 6
    assert json.loads(ran.stdout)["error"]["code"] == "database.server_owned"


def test_the_main_job_from_the_command_line(running: Running) -> None:
    joule = running.installation

    ran = joule.run_apart("chat", REQUEST, "--project", "Harbour & Pine", "--json")

    assert ran.returncode == 0, ran.stderr
    done = json.loads(ran.stdout)
    assert done["state"] == "done"
    assert "summary.md" in done["answer"]
    assert [item["text"] for item in joule.told("memory", "list")["items"]] == ["we never use exclamation marks"]
    shown = joule.told("task", "show", done["task"])
    assert (shown["request"], shown["state"]) == (REQUEST, "done")
    written = [each for each in shown["events"] if each["attrs"].get("action") == "memory.write_file"]
    assert [each["kind"] for each in written] == ["action.intent", "action.result"]
    assert written[0]["attrs"]["policies"] == ["memory.agent-writes-named-files"]
    replayed = joule.told("replay", done["task"])
    assert (replayed["verdict"], replayed["effects"]) == ("identical", 0)
    traced = joule.told("trace", "show", done["task"])
    assert len(traced["events"]) == replayed["events"]
    assert traced["rows_checked"] == len({each["seq"] for each in traced["events"]})


def test_what_is_remembered_can_be_changed_and_forgotten(running: Running) -> None:
    joule = running.installation
    joule.told("chat", "Remember that our prices are in euro")
    item = next(each for each in joule.told("memory", "list")["items"] if "euro" in each["text"])

    joule.told("memory", "edit", item["item"], "our prices are in pounds")
    assert joule.told("memory", "show", item["item"])["text"] == "our prices are in pounds"
    joule.told("memory", "forget", item["item"])

    assert joule.run("memory", "show", item["item"]).returncode == 4


def test_what_needs_an_approval_waits_for_it_and_goes_on(running: Running) -> None:
    joule = running.installation
    joule.told("chat", "Remember that our shop is in Leith")

    asked = joule.run("chat", "Forget that our shop is in Leith", "--json")

    assert asked.returncode == 1
    waiting = json.loads(asked.stdout)
    assert waiting["state"] == "waiting"
    (approval,) = (step["approval_id"] for step in waiting["steps"] if step["kind"] == "approval.asked")
    assert approval in asked.stderr
    joule.told("task", "answer", approval, "--approve")
    _until(lambda: joule.told("task", "show", waiting["task"])["state"] == "done")
    assert "Leith" not in json.dumps(joule.told("memory", "list"))


def test_an_approval_can_be_declined_at_the_terminal(running: Running) -> None:
    joule = running.installation
    joule.told("chat", "Remember that our van is green")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "joule.cli", "chat", "Forget that our van is green"]
    os.write(ours, b"n\n")

    ran = subprocess.run(
        command, env=environment(joule.home), stdin=theirs, capture_output=True, text=True, timeout=100, check=False
    )

    assert "Allow this?" in ran.stderr
    assert ran.returncode == 0
    assert "green" in json.dumps(joule.told("memory", "list"))


def test_traces_without_their_content_show_none_of_it(running: Running) -> None:
    joule = running.installation
    task = joule.told("chat", "What can you do? CANARY-7f3a")["task"]

    assert "CANARY-7f3a" not in json.dumps(joule.told("trace", "show", task))
    assert "CANARY-7f3a" in json.dumps(joule.told("trace", "show", task, "--content"))


def test_a_process_that_is_killed_comes_back(running: Running) -> None:
    (before,) = running.pids("web")

    os.kill(before, signal.SIGKILL)

    _until(lambda: running.pids("web") - {before} != set())


def test_all_of_it_ends_when_asked_and_starts_again_with_its_key_alone(home: Path) -> None:
    joule = Installation(home=home)
    process = joule.up("--no-sample")
    document(process)
    family = psutil.Process(process.pid).children(recursive=True)

    assert ended(process) == 0
    assert [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []

    key = home / "keys" / "kek.json"
    key.rename(home / "elsewhere.json")
    refused = joule.run_apart("up", "--json")
    assert refused.returncode == 6
    assert "key file" in json.loads(refused.stdout)["error"]["message"]
    assert not key.exists()

    (home / "elsewhere.json").rename(key)
    again = joule.up()
    assert document(again)["founded"] is False
    ended(again)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []  # it has just ended


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
