"""The data pack that `make up` installs in the background is a convenience: nothing waits for it, nothing fails with it."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from joule.cli import _packing


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An installation whose package index has nothing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOULE_")}
    return {**clean, "JOULE_HOME": str(tmp_path / "home"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}


async def _there() -> None:
    return


async def test_when_it_fails_a_person_is_told_and_everything_goes_on(environment: dict[str, str]):
    said = list[str]()
    async with asyncio.timeout(60):
        await _packing.install(
            asyncio.ensure_future(_there()), asyncio.Event(), environment=environment, say=said.append
        )

    assert said[0].startswith("Data pack: Fetching 1 of ")
    assert "not available" in said[-2]
    assert said[-1].startswith("Data pack: What to do: ")


async def test_it_begins_only_when_the_first_page_is_there(environment: dict[str, str]):
    never, stopping, said = asyncio.get_running_loop().create_future(), asyncio.Event(), list[str]()
    installing = asyncio.create_task(_packing.install(never, stopping, environment=environment, say=said.append))
    stopping.set()

    await asyncio.wait_for(installing, 10)

    assert said == []


async def test_it_ends_with_everything_else_and_leaves_no_process(environment: dict[str, str]):
    stopping, before = asyncio.Event(), set(psutil.Process().children(recursive=True))
    started = set[psutil.Process]()

    def stop(_: str) -> None:
        started.update(set(psutil.Process().children(recursive=True)) - before)
        stopping.set()

    async with asyncio.timeout(60):
        await _packing.install(asyncio.ensure_future(_there()), stopping, environment=environment, say=stop)

    assert started
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []
