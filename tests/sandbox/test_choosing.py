"""An organisation chooses what its code runs in; policies are told, and nothing runs behind less than was decided for."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from joule.kernel.errors import Invalid, Misconfigured
from joule.kernel.sections import E2bSettings
from joule.kernel.settings import Settings
from sandbox.actions import ChooseBackend, EndSession
from sandbox.configured import kinds_of
from tests.sandbox.conftest import Workshop
from tests.support.clock import StoppedClock
from tests.support.e2b.server import KEY, E2bServer
from tests.support.house import home
from tests.support.scripted_model import Says, ScriptedModel

CAMPAIGNS = b"channel,spend\nsearch,120\nmail,40\n"
STRONGER = """
@id("test.stronger")
@reason("code made from what others wrote needs more than the machine's own kernel around it")
@advice("Ask an admin to choose gVisor or E2B under Sandboxes.")
forbid (principal, action == Joule::Action::"sandbox.run_python", resource)
when { context.integrity == "untrusted" && !(["gvisor", "microvm"].contains(context.boundary)) };
"""


@pytest.fixture
async def server(clock: StoppedClock) -> AsyncIterator[E2bServer]:
    async with E2bServer(clock=clock).running() as found:
        yield found


@pytest.fixture
async def workshop(settings: Settings, clock: StoppedClock, server: E2bServer) -> AsyncIterator[Workshop]:
    """A house that offers E2B too, with a policy that asks for a stronger boundary around untrusted code."""
    e2b = E2bSettings(api_key=SecretStr(KEY), api_url=server.url, sandbox_url=server.url)
    model = ScriptedModel(script=[Says(text="Hello.")])
    changed = settings.model_copy(update={"e2b": e2b})
    async with home(changed, model=model, clock=clock, more_policy=STRONGER) as found:
        yield Workshop(home=found, model=model)


async def choose(workshop: Workshop, kind: str | None) -> None:
    await workshop.home.house.commands.perform(ChooseBackend(principal=workshop.home.owner, backend=kind))


async def told(workshop: Workshop, *script: Says) -> list[dict[str, Any]]:
    """The facts that the decisions about code were made from."""
    claim, _ = await workshop.does(*script)
    events = await workshop.home.events(claim.task)
    return [
        each.attrs["facts"]
        for each in events
        if each.attrs.get("action") == "sandbox.run_python" and "facts" in each.attrs
    ]


PRINT = Says(calls=[("run_python", {"code": "print(1)"})])


async def test_a_policy_can_ask_for_a_stronger_boundary_around_untrusted_code(workshop: Workshop):
    weak = await told(workshop, PRINT, PRINT)  # the second is made from what the first one said
    refused = workshop.answers()

    await choose(workshop, "e2b")
    strong = await told(workshop, PRINT, PRINT)
    done = workshop.answers()

    assert [(each["boundary"], each["integrity"]) for each in weak] == [
        ("namespace", "trusted"),
        ("namespace", "untrusted"),
    ]
    assert refused[0]["output"] == "1\n"
    assert refused[1]["error"] == "gate.refused"
    assert "choose gVisor or E2B" in str(refused[1])
    assert [(each["boundary"], each["integrity"]) for each in strong] == [
        ("microvm", "trusted"),
        ("microvm", "untrusted"),
    ]
    assert [each["output"] for each in done] == ["1\n", "1\n"]


async def test_code_runs_at_e2b_with_the_files_it_was_given_and_artifacts_come_out(
    workshop: Workshop, server: E2bServer
):
    await workshop.home.upload("campaigns.csv", CAMPAIGNS)
    await choose(workshop, "e2b")

    code = "open('out/copy.csv', 'w').write(open('files/campaigns.csv').read()); print('copied')"
    answer = await workshop.runs(code, "campaigns.csv")

    assert (answer["output"], answer["exit_code"]) == ("copied\n", 0)
    (artifact,) = await workshop.artifacts()
    assert await workshop.bytes_of(artifact) == CAMPAIGNS
    (session,) = await workshop.sessions()
    assert (session.backend, session.boundary, session.state) == ("e2b", "microvm", "warm")
    (machine,) = [each for each in server.machines.values() if "session" in each.metadata]
    assert machine.metadata["session"] == session.session.hex
    assert CAMPAIGNS.decode() not in str(server.asked)


async def test_another_kind_takes_the_place_of_a_warm_session(workshop: Workshop):
    first = await workshop.runs("print(1)")
    await choose(workshop, "e2b")
    second = await workshop.runs("print(1)")
    await choose(workshop, None)
    third = await workshop.runs("print(1)")

    assert [each["fresh"] for each in (first, second, third)] == [True, True, True]
    kinds = {str(each.session): (each.backend, each.state) for each in await workshop.sessions()}
    assert kinds[first["session"]] == ("local", "ended")
    assert kinds[second["session"]] == ("e2b", "ended")
    assert kinds[third["session"]] == ("local", "warm")


async def test_what_a_dead_worker_left_at_e2b_is_found_and_ended(
    workshop: Workshop, server: E2bServer, clock: StoppedClock
):
    await choose(workshop, "e2b")
    await workshop.runs("print(1)")
    (session,) = await workshop.sessions()
    sessions = workshop.home.house.sandboxes.sessions
    sessions._held.clear()  # as another worker, that has never heard of it
    clock.advance(timedelta(minutes=3))

    spared = await sessions.end_strays()
    await workshop.home.house.commands.perform(EndSession(principal=workshop.home.owner, session=session.session))
    clock.advance(timedelta(minutes=2))  # looking means to ask somebody else, so not at every turn
    ended = await sessions.end_strays()

    assert (spared, ended) == (0, 1)
    assert server.machines == {}


async def test_where_the_chosen_kind_cannot_be_started_no_code_runs(workshop: Workshop, server: E2bServer):
    server.troubles.then("create", *[401] * 9)
    await choose(workshop, "e2b")

    await workshop.does()

    assert "run_python" not in {tool.name for tool in workshop.model.requests[-1].tools}
    assert await workshop.sessions() == ()


async def test_a_task_that_was_judged_for_a_stronger_kind_does_not_run_in_a_weaker_one(workshop: Workshop):
    await choose(workshop, "e2b")
    workshop.model.before = lambda turn: choose(workshop, "local") if turn == 0 else None

    answer = await workshop.runs("print(1)")

    assert answer["error"] == "sandbox.unavailable"
    assert "changed while this task ran" in answer["message"]
    assert await workshop.sessions() == ()


async def test_only_what_is_offered_can_be_chosen(workshop: Workshop, settings: Settings, clock: StoppedClock):
    with pytest.raises(Invalid, match="not offered"):
        await choose(workshop, "none")

    def offering(**changed: str) -> Settings:
        return settings.model_copy(update={"sandbox": settings.sandbox.model_copy(update=changed)})

    assert list(kinds_of(offering(offered="e2b, gvisor", backend="gvisor"), clock=clock)) == ["gvisor", "e2b"]
    with pytest.raises(Misconfigured):
        kinds_of(offering(offered="gvisor"), clock=clock)
    with pytest.raises(Misconfigured):
        kinds_of(offering(offered="local,chroot"), clock=clock)
