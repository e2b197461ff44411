"""Code reaches the hosts its organisation listed and nothing else; each request is on record, and no secret is inside."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from joule.kernel.ids import TaskId
from joule.kernel.principal import Principal, Role
from joule.kernel.settings import Settings
from sandbox.egress import queries
from sandbox.egress.actions import ListOutsideHost, RemoveOutsideHost
from sandbox.egress.results import Secret
from tests.sandbox.conftest import Opening, Workshop
from tests.support.house import Home
from tests.support.provider_server import Echo, Json, ProviderServer
from traces import reader, sealing
from traces.reader import TaskEvent

KEY = "Bearer outside-key-7f3a91"
ASK = """
import json, urllib.error, urllib.request
try:
    with urllib.request.urlopen({url!r}) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.URLError as problem:
    print('refused:', problem.reason)
"""


@dataclass(kw_only=True)
class Listening:
    """A workshop with a host outside: loopback stands for the world, by a setting that is for trying."""

    workshop: Workshop
    outside: ProviderServer

    @property
    def home(self) -> Home:
        return self.workshop.home

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.outside.port}/rates?day=1"

    async def does(self, action: Any) -> Any:
        return await self.home.house.commands.perform(action)

    async def listed(self, **more: Any) -> None:
        """Nothing but this host on the list."""
        async with self.home.house.database.read(self.home.org) as session:
            there = await queries.outside_hosts(session, await self.home.house.vault.keyring(session, self.home.org))
        for each in there:
            await self.does(RemoveOutsideHost(principal=self.home.owner, host=each.id))
        await self.does(ListOutsideHost(principal=self.home.owner, host="127.0.0.1", port=self.outside.port, **more))

    async def asks(self, url: str) -> dict[str, Any]:
        """What the model is told of code that asks for this address."""
        self.outside.requests.clear()
        return await self.workshop.runs(ASK.format(url=url))

    async def reached(self) -> list[TaskEvent]:
        """The rows of the newest request on record."""
        house = self.home.house
        async with house.database.read(self.home.org) as session:
            task = await session.scalar(
                text("SELECT task_id FROM trace_event WHERE action = 'sandbox.reach_out' ORDER BY task_id DESC LIMIT 1")
            )
            keyring = await sealing.ring(session, house.vault, self.home.org, TaskId(task))
            return await reader.events(session, keyring, self.home.org, TaskId(task))


@pytest.fixture
async def listening(opening: Opening, settings: Settings) -> AsyncIterator[Listening]:
    async with ProviderServer(Echo()).running() as outside:
        sandbox = settings.sandbox.model_copy(update={"outside_port": outside.port})
        async with opening(settings.model_copy(update={"sandbox": sandbox})) as workshop:
            yield Listening(workshop=workshop, outside=outside)


async def test_code_reaches_what_is_listed_and_nothing_else(listening: Listening):
    # given: nothing is listed. Then there is no way out at all
    nothing = await listening.asks(listening.url)
    assert "refused:" in nothing["output"]
    assert "not on the organisation's list" not in nothing["output"]  # nobody was even asked
    assert "False" in (await listening.workshop.runs("import os; print(os.path.exists('/run/outside'))"))["output"]

    # when an owner lists the host, with a key for it
    await listening.listed(header="Authorization", secret=Secret(KEY))
    found = await listening.asks(listening.url)

    # then code gets its answer, the host gets the key, and the sandbox does not
    assert found["output"].startswith("200 "), found
    (asked,) = listening.outside.requests
    assert asked.headers["authorization"] == KEY
    assert "outside-key" not in str(found)
    assert "[removed]" in found["output"]
    secrets = "import subprocess; print(subprocess.run('grep -rs outside-key /proc/[0-9]*/environ /run /opt /tmp /workspace', shell=True, capture_output=True))"
    assert "returncode=0" not in (await listening.workshop.runs(secrets))["output"]

    # and it is on record: decided, with where it went, and neither the key nor the answer
    rows = await listening.reached()
    assert [each.kind for each in rows] == ["task.started", "action.intent", "action.result"]
    intent, result = rows[1:]
    assert intent.attrs["policies"] == ["sandbox.reaches-out"]
    assert (intent.content["args"]["host"], intent.content["args"]["path"]) == ("127.0.0.1", "/rates?day=1")
    assert (result.attrs["status"], result.content["result"]["with_secret"]) == (200, True)
    assert "outside-key" not in str(rows)

    # and the session's label says that something of this host has been in it since
    (session, *_) = await listening.workshop.sessions()
    async with listening.home.house.database.read(listening.home.org) as reading:
        sources = await reading.scalar(
            text("SELECT sources FROM sandbox_session WHERE id = :id"), {"id": session.session}
        )
    assert any(each.startswith("outside:") for each in sources)

    # when it asks elsewhere: another port, another name, by address
    for url in ("http://127.0.0.1:9/", "https://example.com/", "http://169.254.169.254/latest/meta-data/"):
        refused = await listening.asks(url)
        assert "not on the organisation's list" in refused["output"], url
        assert listening.outside.requests == []
    assert [each.attrs.get("code") for each in await listening.reached()][-1] == "sandbox.host_not_listed"

    # when the host is taken off the list while the session is warm
    async with listening.home.house.database.read(listening.home.org) as reading:
        keyring = await listening.home.house.vault.keyring(reading, listening.home.org)
        (host,) = await queries.outside_hosts(reading, keyring)
    await listening.does(RemoveOutsideHost(principal=listening.home.owner, host=host.id))
    assert "not on the organisation's list" in (await listening.asks(listening.url))["output"]
    assert listening.outside.requests == []


async def test_an_answer_that_points_elsewhere_is_not_followed(listening: Listening):
    await listening.listed()
    listening.outside.answers = [Json(status=302, headers={"location": "http://169.254.169.254/"})]

    found = await listening.asks(listening.url)

    assert "points elsewhere" in found["output"]
    assert len(listening.outside.requests) == 1


async def test_only_owners_and_admins_choose_and_the_agent_never_does(listening: Listening):
    owner = listening.home.owner
    member = Principal(org=owner.org, person=owner.person, role=Role.MEMBER, via=owner.via)
    for who in (member, owner.as_agent()):
        with pytest.raises(Exception, match="was refused"):
            await listening.does(ListOutsideHost(principal=who, host="api.example.com"))

    await listening.does(ListOutsideHost(principal=owner, host="api.example.com"))

    with pytest.raises(Exception, match="on the list already"):
        await listening.does(ListOutsideHost(principal=owner, host="API.example.com"))
    for wrong in (
        {"header": "Authorization"},
        {"secret": Secret("abcdefgh")},
        {"header": "Host", "secret": Secret("abcdefgh")},
    ):
        with pytest.raises(Exception, match="cannot be attached"):
            await listening.does(ListOutsideHost(principal=owner, host="b.example.com", **wrong))
