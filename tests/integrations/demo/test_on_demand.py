"""`joule up` starts the demonstration for the first who asks for it, tells it nothing, and ends it with everything else."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psutil
import pytest

from joule.cli._demonstration import keep, listen, port_of
from joule.kernel.settings import IntegrationSettings


@asynccontextmanager
async def kept(listening: socket.socket, logs: Path) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    environment = {"PATH": "/usr/bin:/bin", "JOULE_DATABASE_URL": "postgresql://secret"}
    with listening:
        keeping = asyncio.create_task(
            keep(listening, stopping, environment=environment, base_url=None, logs=logs, say=lambda words: None)
        )
        try:
            yield stopping
        finally:
            stopping.set()
            await asyncio.wait_for(keeping, 30)


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [each for each in found if "integrations.demo" in each.cmdline()]


async def test_it_weighs_nothing_until_somebody_asks_and_ends_when_all_ends(tmp_path: Path) -> None:
    listening = listen(IntegrationSettings(), sample=True)
    assert listening is not None
    address = f"http://127.0.0.1:{port_of(listening)}/"

    async with kept(listening, tmp_path):
        await asyncio.sleep(0.05)
        assert children() == []

        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.get(address)

        assert answer.status_code == 200
        (child,) = children()
        assert not any(name.startswith("JOULE_") for name in child.environ())
    assert children() == []


async def test_nobody_asking_is_an_end_too(tmp_path: Path) -> None:
    listening = listen(IntegrationSettings(), sample=True)
    assert listening is not None

    async with kept(listening, tmp_path) as stopping:
        stopping.set()

    assert children() == []


@pytest.mark.parametrize(
    ("settings", "sample", "listens"),
    [
        (IntegrationSettings(), True, True),
        (IntegrationSettings(), False, False),
        (IntegrationSettings(demo_port=0), True, False),
    ],
)
def test_it_goes_with_the_sample_project_unless_the_settings_say_otherwise(
    settings: IntegrationSettings, sample: bool, listens: bool
) -> None:
    listening = listen(settings, sample=sample)

    assert (listening is not None) is listens
    assert (port_of(listening) > 0) is listens
    if listening is not None:
        listening.close()


def test_a_port_that_is_taken_is_left_to_whoever_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        listening = listen(IntegrationSettings(demo_port=port_of(theirs)), sample=False)

        assert listening is not None
        with listening:
            assert port_of(listening) not in {0, port_of(theirs)}
