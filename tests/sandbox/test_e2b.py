"""The backend `e2b` keeps the contract of all backends, with the real library over real sockets; and what goes wrong."""

from collections.abc import AsyncIterator
from datetime import timedelta

import e2b
import pytest
from pydantic import SecretStr

from sandbox.contract import Killer, Limits, SandboxSpec
from sandbox.e2b_cloud import session
from sandbox.e2b_cloud.backend import Account, E2bBackend
from sandbox.e2b_cloud.calls import asked
from sandbox.e2b_cloud.errors import E2bAway, E2bBusy, E2bKeyRefused, E2bRefused, RunCutOff
from sandbox.errors import SandboxGone, SandboxUnavailable
from sandbox.testing import CHECKS, Check, run
from tests.support.clock import StoppedClock
from tests.support.e2b.server import KEY, E2bServer


@pytest.fixture
async def server() -> AsyncIterator[E2bServer]:
    async with E2bServer().running() as found:
        yield found


def account(server: E2bServer, *, key: str = KEY, installation: str = "here") -> Account:
    return Account(
        key=SecretStr(key),
        installation=installation,
        template="base",
        domain="e2b.app",
        control=server.url,
        inside=server.url,
    )


@pytest.fixture
async def backend(server: E2bServer, clock: StoppedClock) -> AsyncIterator[E2bBackend]:
    found = E2bBackend(clock=clock, account=account(server))
    yield found
    await found.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract(backend: E2bBackend, check: Check):
    await check(backend)


async def test_it_has_no_way_out_and_an_end_from_the_first_moment(server: E2bServer, backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(ttl_seconds=300, labels={"org": "a"}), key="k")

    (asked,) = server.asked
    assert asked["allow_internet_access"] is False
    assert asked["timeout"] == 300
    assert "network" not in asked
    assert asked["autoPause"] is False
    await sandbox.kill()

    server.troubles.keeps_the_way_out = True
    with pytest.raises(SandboxUnavailable, match="a way out"):
        await backend.create(SandboxSpec(), key="other")
    assert server.machines == {}


async def test_each_connect_brings_its_own_time(server: E2bServer, clock: StoppedClock):
    first = E2bBackend(clock=clock, account=account(server))
    made = await first.create(SandboxSpec(ttl_seconds=300), key="k")
    before = server.machines[made.id].ends

    again = await E2bBackend(clock=clock, account=account(server)).attach(made.id)

    assert server.machines[made.id].ends > before + timedelta(seconds=300)
    assert (await run(again, "print(1)"))[0] == "1\n"


async def test_using_it_makes_its_time_begin_anew(server: E2bServer, backend: E2bBackend, clock: StoppedClock):
    sandbox = await backend.create(SandboxSpec(ttl_seconds=1000), key="k")
    await run(sandbox, "print(1)")
    asked = server.seen["timeout"]
    await run(sandbox, "print(1)")
    assert server.seen["timeout"] == asked  # not to the second

    clock.advance(timedelta(seconds=500))
    await run(sandbox, "print(1)")

    assert server.seen["timeout"] == asked + 1


async def test_a_key_that_is_refused_says_so_and_is_not_tried_again(server: E2bServer, clock: StoppedClock):
    backend = E2bBackend(clock=clock, account=account(server, key="e2b_stolen"))

    with pytest.raises(E2bKeyRefused) as raised:
        await backend.create(SandboxSpec(), key="k")

    assert "JOULE_E2B_API_KEY" in raised.value.advice()
    assert "e2b_stolen" not in f"{raised.value} {raised.value.advice()} {account(server, key='e2b_stolen')!r}"
    probe = await backend.probe()
    assert (probe.ok, probe.fix) == (False, raised.value.advice())
    assert server.machines == {}


@pytest.mark.parametrize("trouble", [429, 502, 503])
async def test_making_one_is_tried_again_when_it_was_busy_or_away(server: E2bServer, backend: E2bBackend, trouble: int):
    server.troubles.then("create", trouble)

    sandbox = await backend.create(SandboxSpec(), key="k")

    assert (await run(sandbox, "print(1)"))[0] == "1\n"
    assert server.seen["create"] == 2
    assert len(server.machines) == 1


@pytest.mark.parametrize(("trouble", "kind"), [(429, E2bBusy), (503, E2bBusy), (502, E2bAway), (500, E2bAway)])
async def test_what_stays_busy_or_away_is_named(server: E2bServer, backend: E2bBackend, trouble: int, kind: type):
    server.troubles.then("create", *[trouble] * 5)

    with pytest.raises(kind):
        await backend.create(SandboxSpec(), key="k")

    assert server.seen["create"] == 3
    assert server.machines == {}


async def test_a_template_that_is_not_there_is_named_and_not_asked_for_again(server: E2bServer, backend: E2bBackend):
    server.troubles.then("create", 404)

    with pytest.raises(E2bRefused) as raised:
        await backend.create(SandboxSpec(), key="k")

    assert "JOULE_E2B_TEMPLATE" in raised.value.advice()
    assert server.seen["create"] == 1


async def test_a_file_that_does_not_come_out_whole_is_not_given(server: E2bServer, backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(), key="k")
    await sandbox.write("file", b"x" * 1000)
    server.troubles.then("files", 502)

    with pytest.raises((SandboxUnavailable, SandboxGone)):
        await sandbox.read("file", limit=2000)


async def test_a_lost_answer_makes_no_second_sandbox(server: E2bServer, backend: E2bBackend):
    server.troubles.then("create", "cut")

    sandbox = await backend.create(SandboxSpec(), key="k")

    assert list(server.machines) == [sandbox.id]
    assert server.seen["create"] == 2


async def test_a_sandbox_whose_answers_all_were_lost_is_found_by_its_key(server: E2bServer, backend: E2bBackend):
    server.troubles.then("create", "cut", 409, 409)

    sandbox = await backend.create(SandboxSpec(), key="k")

    assert list(server.machines) == [sandbox.id]
    assert (await run(sandbox, "print(1)"))[0] == "1\n"


async def test_a_silence_ends_by_our_own_clock(server: E2bServer):
    server.troubles.then("list", "late")

    with pytest.raises(E2bAway, match="in time"):
        await asked(e2b.AsyncSandbox.list(api_key=KEY, api_url=server.url).next_items(), seconds=0.2)


async def test_a_command_that_no_server_ends_is_ended_from_here(
    server: E2bServer, backend: E2bBackend, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "_LATE", 0.2)
    server.troubles.ignores_deadlines = True
    sandbox = await backend.create(SandboxSpec(), key="k")

    _, _, ended = await run(sandbox, "import time; print('on', flush=True); time.sleep(60)", wall_seconds=0.3)

    assert ended.killed_by is Killer.WALL


async def test_a_line_that_breaks_while_code_runs_is_never_a_second_run(server: E2bServer, backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(), key="k")
    await run(sandbox, "print(1)")
    before = server.seen["start"]
    server.troubles.cut_output_after = 2

    with pytest.raises(RunCutOff) as raised:
        await run(sandbox, "import time\nfor n in range(100): print(n, flush=True); time.sleep(0.02)")

    assert "not known" in str(raised.value)
    assert "twice" in raised.value.advice()
    assert server.seen["start"] == before + 1
    assert sandbox.id not in server.machines  # nothing goes on that nobody hears
    with pytest.raises(SandboxGone):
        await run(sandbox, "print(1)")


async def test_a_command_that_may_have_been_heard_is_not_sent_again(server: E2bServer, backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(), key="k")
    before = server.seen["start"]
    server.troubles.then("start", 500)

    with pytest.raises(RunCutOff):
        await run(sandbox, "print(1)")

    assert server.seen["start"] == before + 1


async def test_a_busy_server_has_not_started_the_command(server: E2bServer, backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(), key="k")
    server.troubles.then("start", 429)

    with pytest.raises(E2bBusy):
        await run(sandbox, "print(1)")
    assert (await run(sandbox, "print(1)"))[0] == "1\n"


async def test_one_that_ended_there_is_gone_here(server: E2bServer, backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(), key="k")
    server.machines[sandbox.id].ends = server.machines[sandbox.id].started

    with pytest.raises(SandboxGone) as raised:
        await run(sandbox, "print(1)")
    assert not isinstance(raised.value, RunCutOff)
    with pytest.raises(SandboxGone):
        await sandbox.write("a", b"x")
    with pytest.raises(SandboxGone):
        await backend.attach(sandbox.id)


async def test_another_installation_s_sandboxes_are_not_seen(server: E2bServer, clock: StoppedClock):
    ours = E2bBackend(clock=clock, account=account(server))
    theirs = E2bBackend(clock=clock, account=account(server, installation="elsewhere"))
    made = await theirs.create(SandboxSpec(labels={"session": "x"}), key="k")

    assert await ours.listed() == ()
    assert [(each.id, each.labels) for each in await theirs.listed()] == [(made.id, {"session": "x"})]


async def test_what_is_taken_is_what_the_server_measures(backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(), key="k")

    assert ((await sandbox.usage()).memory_bytes or 0) > 2**20


async def test_a_program_that_uses_too_much_processor_time_is_ended(backend: E2bBackend):
    sandbox = await backend.create(SandboxSpec(limits=Limits(cpu_seconds=1)), key="k")

    _, _, ended = await run(sandbox, "while True: pass")

    assert ended.killed_by is Killer.CPU
