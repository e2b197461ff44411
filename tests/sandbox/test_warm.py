"""Sandboxes that are kept ready: handed out once, as new as any other."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from sandbox.contract import Limits, SandboxSpec
from sandbox.local.backend import LocalBackend
from sandbox.local.session import LocalSandbox
from sandbox.testing import run
from tests.support.clock import StoppedClock


@pytest.fixture(scope="module")
def pack() -> Iterator[Path]:
    """A pack of one module, that says when it was loaded."""
    made = Path(tempfile.mkdtemp(prefix="joule-pack-"))
    made.chmod(0o755)
    (made / "pandas.py").write_text("import os\nloaded_by = os.getpid()\n")
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def backend(clock: StoppedClock, pack: Path) -> AsyncIterator[LocalBackend]:
    found = LocalBackend(clock=clock, pack=pack, warm=1)
    yield found
    await found.close()


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def process_of(sandbox: LocalSandbox) -> psutil.Process:
    return psutil.Process(sandbox._process.pid)


async def test_the_next_one_is_ready_when_it_is_asked_for(backend: LocalBackend, clock: StoppedClock):
    first = await backend.create(SandboxSpec(with_pack=True, labels={"task": "a"}), key="a")
    await backend.ready()
    assert [each.id for each in await backend.listed()] == [first.id]  # nobody's yet
    before = children()
    clock.advance(timedelta(hours=5))  # waiting does not use its time up

    second = await backend.create(SandboxSpec(with_pack=None, labels={"task": "b"}, ttl_seconds=60), key="b")

    assert process_of(second) in before
    assert second.id != first.id
    assert [each.id for each in await backend.listed({"task": "b"})] == [second.id]
    clock.advance(timedelta(seconds=59))
    assert (await backend.attach(second.id)).id == second.id


async def test_a_job_finds_its_packages_loaded_and_leaves_nothing_in_them(backend: LocalBackend):
    sandbox = await backend.create(SandboxSpec(with_pack=True), key="a")

    first, _, _ = await run(sandbox, "import os, pandas; print(pandas.loaded_by == os.getppid()); pandas.mine = 1")
    second, _, _ = await run(sandbox, "import pandas; print(hasattr(pandas, 'mine'))")

    assert (first, second) == ("True\n", "False\n")


@pytest.mark.parametrize(
    "other",
    [SandboxSpec(with_pack=False), SandboxSpec(with_pack=True, limits=Limits(processes=32))],
    ids=["without the pack", "with other limits"],
)
async def test_it_is_only_for_those_who_asked_for_one_like_it(backend: LocalBackend, other: SandboxSpec):
    await backend.create(SandboxSpec(with_pack=True), key="a")
    await backend.ready()
    before = children()

    sandbox = await backend.create(other, key="b")

    assert process_of(sandbox) not in before


async def test_one_that_ended_while_it_waited_is_not_handed_out(backend: LocalBackend):
    others = children()  # a database, for one
    first = await backend.create(SandboxSpec(with_pack=True), key="a")
    await backend.ready()
    (waiting,) = set(psutil.Process().children()) - others - {process_of(first)}
    waiting.kill()
    psutil.wait_procs([waiting], timeout=10)

    second = await backend.create(SandboxSpec(with_pack=True), key="b")

    assert (await run(second, "print('alive')"))[0] == "alive\n"


async def test_closing_ends_those_that_wait_too(clock: StoppedClock, pack: Path):
    before = children()
    backend = LocalBackend(clock=clock, pack=pack, warm=2)
    await backend.create(SandboxSpec(with_pack=True), key="a")
    await backend.ready()
    started = children() - before

    await backend.close()

    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
    assert len(started) >= 9  # three sandboxes of three processes
