"""`joule integrations mcp`: a server is added, its tools read, switched on by what was read, and removed."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.kernel.settings import Settings
from tests.integrations.demo.conftest import served
from tests.support.house import home
from tests.support.mcp import Hostile, tool

Joule = Callable[..., Result]


@contextmanager
def beside(hostile: Hostile) -> Iterator[int]:
    """The server in a thread of its own: each command has a loop of its own."""
    ports: list[int] = []
    up, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with served(hostile.app()) as port:
            ports.append(port)
            up.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert up.wait(20), "the server did not start"
    try:
        yield ports[0]
    finally:
        over.set()
        thread.join(20)


@pytest.fixture
def hostile() -> Hostile:
    return Hostile()


@pytest.fixture
def joule(settings: Settings, hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> Iterator[Joule]:
    """Runs a command line against this test's own home and database, beside a server."""
    assert settings.database.url is not None

    async def founded() -> None:
        async with home(settings):
            pass

    asyncio.run(founded())
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)
    with beside(hostile) as port:
        monkeypatch.setenv("JOULE_INTEGRATIONS_MCP_PORT", str(port))

        def run(*arguments: str) -> Result:
            given = [each.replace("URL", f"http://127.0.0.1:{port}/mcp") for each in arguments]
            return CliRunner().invoke(main, ("integrations", "mcp", *given), prog_name="joule")

        yield run


def test_a_server_is_added_read_switched_on_changed_and_removed(joule: Joule, hostile: Hostile) -> None:
    refused = joule("add", "URL", "--title", "Notes", "--json")
    added = json.loads(joule("add", "URL", "--title", "Notes", "--open-confirmed", "--json").stdout)
    read = json.loads(joule("tools", added["server"], "--json").stdout)["tools"][0]
    stale = joule("allow", read["tool"], "--pin", "0" * 64)
    on = joule("allow", read["tool"], "--pin", read["pin"])
    listed = json.loads(joule("list", "--json").stdout)["servers"]
    hostile.tools = [tool(description="Sends it \x1b[31m away.")]
    changed = joule("tools", added["server"], "--ask")
    told = json.loads(joule("tools", added["server"], "--json").stdout)["tools"][0]
    gone = joule("remove", added["server"])

    assert json.loads(refused.stdout)["error"]["code"] == "integrations.mcp_open_server"
    assert (added["tools"], added["needs_sign_in"]) == (1, False)
    assert stale.exit_code != 0
    assert "on, asks each time" in on.stdout
    assert [(each["title"], each["sign_in"], each["tools"]) for each in listed] == [("Notes", "not needed", "1 of 1")]
    assert "changed, off" in changed.stdout
    assert "\x1b" not in changed.stdout
    assert [each["what"] for each in told["changes"]] == ["description"]
    assert gone.exit_code == 0
    assert json.loads(joule("list", "--json").stdout) == {"servers": []}


def test_a_server_that_wants_to_be_signed_in_to_says_where(joule: Joule, hostile: Hostile) -> None:
    hostile.wants_token = True

    added = json.loads(joule("add", "URL", "--title", "Notes", "--json").stdout)
    listed = json.loads(joule("list", "--json").stdout)["servers"]

    assert added["open"].endswith(f"/admin/integrations/mcp/servers/{added['server']}/sign-in")
    assert [each["sign_in"] for each in listed] == ["needed"]
