"""More than one process of a kind, and a database server of one's own."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from joule.kernel.settings import Settings
from tests.cli.test_up import Installation, Running, _until, document, ended, environment, home, running

__all__ = ["home", "running"]  # fixtures

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def beside(running: Running, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One more process over the same installation."""
    command = [sys.executable, "-m", "joule.cli", *arguments]
    process = subprocess.Popen(command, env=environment(running.installation.home), stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def serves(address: str) -> Callable[[], bool]:
    def asked() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    return asked


def test_who_signs_in_at_one_web_process_is_known_at_the_other(running: Running) -> None:
    first = running.link["address"]
    second = f"http://127.0.0.1:{free_port()}"
    with beside(running, "web", "--port", second.rpartition(":")[2]):
        _until(serves(second))
        person = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        token = parse_qs(urlsplit(running.link["url"]).query)["token"][0]
        form = urlencode({"token": token}).encode()

        person.open(f"{second}/sign-in/link", data=form, timeout=20).read()

        pages = [person.open(f"{each}/projects", timeout=20) for each in (first, second)]
        assert [each.geturl() for each in pages] == [f"{first}/projects", f"{second}/projects"]


def test_a_second_worker_works_while_the_first_one_sleeps(running: Running) -> None:
    (first,) = running.pids("web")
    with beside(running, "worker"):
        os.kill(first, signal.SIGSTOP)
        try:
            done = [running.installation.told("chat", "What can you do?")["state"] for _ in range(2)]
        finally:
            os.kill(first, signal.SIGCONT)

    assert done == ["done", "done"]
    assert running.installation.told("chat", "What can you do?")["state"] == "done"


def test_a_killed_database_comes_back_and_the_work_goes_on(running: Running) -> None:
    home = running.installation.home

    def server() -> int:
        return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    before = server()
    os.kill(before, signal.SIGKILL)

    _until(lambda: (home / "postgres" / "postmaster.pid").exists() and server() != before)
    _until(lambda: running.installation.run("doctor").returncode == 0)
    assert running.installation.told("chat", "What can you do?")["state"] == "done"


def over(settings: Settings, monkeypatch: pytest.MonkeyPatch, **other: str) -> None:
    """Has every process of this test use the server in the settings."""
    monkeypatch.setattr("tests.cli.test_up.environment", lambda home: {**environment(home), **variables})
    assert settings.database.url is not None
    assert settings.database.owner_url is not None
    variables = {
        "JOULE_DATABASE_URL": settings.database.url.get_secret_value(),
        "JOULE_DATABASE_OWNER_URL": settings.database.owner_url.get_secret_value(),
        **other,
    }


def test_a_server_of_ones_own_takes_the_place_of_the_embedded_one(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(settings, monkeypatch)
    joule = Installation(home=home)
    process = joule.up()
    try:
        assert document(process)["founded"] is True
        assert joule.told("chat", "What can you do?")["state"] == "done"
        assert joule.told("doctor")["ok"] is True
        (worker,) = Running(installation=joule, process=process, link={}).pids("web")
        inherited = Path(f"/proc/{worker}/environ").read_bytes()
    finally:
        ended(process)

    assert not (home / "postgres").exists()
    assert b"JOULE_DATABASE_URL=" in inherited
    assert b"JOULE_DATABASE_OWNER_URL=" not in inherited


@pytest.mark.parametrize("name", ["JOULE_DATABASE_URL", "JOULE_DATABASE_OWNER_URL"])
def test_a_server_that_would_be_spoken_to_in_clear_is_refused(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    over(settings, monkeypatch, **{name: "postgresql://joule_app:canary@db.example.com/joule"})

    ran = Installation(home=home).run_apart("up", "--json")

    assert ran.returncode == 6
    assert "TLS" in told(ran)["message"]
    assert "canary" not in ran.stdout + ran.stderr


def test_a_server_that_is_not_there_is_said_to_be_away(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"postgresql://joule_app@127.0.0.1:{free_port()}/joule"
    over(settings, monkeypatch, JOULE_DATABASE_URL=address, JOULE_DATABASE_OWNER_URL=address)

    ran = Installation(home=home).run_apart("up", "--json")

    assert ran.returncode == 5
    assert told(ran)["code"] == "database.away"


def told(ran: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(ran.stdout)["error"]
