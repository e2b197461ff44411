"""The ground gives way in the middle of a task: nothing half done, nothing done twice, and the task goes on."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from joule.database import migrate
from joule.database.server import EmbeddedServer
from joule.kernel.errors import Unavailable
from joule.kernel.ids import TaskId
from joule.kernel.settings import DatabaseSettings, Settings, TaskSettings
from joule.tasks import queries
from joule.tasks.actions import StartTask
from tests.support.house import Home, home
from tests.support.postgres import roomy_folder
from tests.support.scripted_model import Says, ScriptedModel

SCRIPT = [
    Says(text="One. ", calls=[("write_file", {"file_name": "a.md", "text": "first"})]),
    Says(text="Two. ", calls=[("write_file", {"file_name": "a.md", "text": "second"})]),
    Says(text="Three. ", calls=[("write_file", {"file_name": "a.md", "text": "third"})]),
    Says(text="Done."),
]
REQUEST = "write a.md three times"


@asynccontextmanager
async def own_server(folder: Path | None = None) -> AsyncIterator[tuple[EmbeddedServer, Settings]]:
    """A server of this test's own, that it may stop and starve."""
    place = folder or roomy_folder()
    place.mkdir(exist_ok=True)
    place.chmod(0o711)
    server = EmbeddedServer(home=place)
    try:
        address = await asyncio.to_thread(server.start)
        await asyncio.to_thread(migrate.upgrade, address.owner_url)
        yield (
            server,
            Settings(
                home=place,
                environment="test",
                task=TaskSettings(stalled_seconds=5),
                database=DatabaseSettings(url=address.app_url, owner_url=address.owner_url),
            ),
        )
    finally:
        await asyncio.to_thread(server.stop)
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


async def ended(here: Home, task: TaskId, *, seconds: float = 60) -> queries.TaskFacts:
    """How the task ended, once it has."""
    async with asyncio.timeout(seconds):
        while True:
            with suppress(Unavailable):  # the database comes and goes
                async with here.house.database.read(here.org) as session:
                    facts = await queries.facts(session, here.org, task)
                if facts.state.is_ended:
                    return facts
            await asyncio.sleep(0.2)


async def versions(here: Home, owner_url: str) -> list[int]:
    def read() -> list[int]:
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute("SELECT set_config('joule.org', %s, false)", (str(here.org),))
            return [row[0] for row in connection.execute("SELECT version FROM file_version ORDER BY version")]

    return await asyncio.to_thread(read)


async def test_a_task_outlives_a_restart_of_the_database():
    model = ScriptedModel(script=SCRIPT)
    async with own_server() as (server, settings), home(settings, model=model) as here:
        restarted = asyncio.Event()

        async def restart() -> None:
            if not restarted.is_set():
                restarted.set()
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)

        model.before = lambda turn: restart() if turn == 1 else None
        stop = asyncio.Event()
        serving = asyncio.create_task(here.serve(stop))
        started = await here.house.commands.perform(StartTask(principal=here.owner, project=here.project, text=REQUEST))

        facts = await ended(here, started.task)

        assert restarted.is_set()
        assert (facts.state.value, facts.code) == ("done", None)
        assert await versions(here, server.address.owner_url) == [1, 2, 3]
        stop.set()
        await serving


def on_a_small_disk(folder: Path) -> list[str]:
    """How to run a program in a mount namespace of its own in which `folder` is a disk of 160 MB.

    An ordinary user may mount only as the root of a user namespace; inside it they become themselves again.
    """
    mount = f"mount -t tmpfs -o size=160m,mode=0777 tmpfs {folder}"
    if os.geteuid() == 0:
        return ["unshare", "--mount", "--", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    oneself = f"unshare --user --map-user={os.geteuid()} --map-group={os.getegid()}"
    return ["unshare", "--map-root-user", "--mount", "--", "sh", "-c", f'{mount} && exec {oneself} -- "$@"', "sh"]


def test_a_full_disk_stops_the_agent_with_a_clear_message_and_nothing_half_done():
    disk = roomy_folder()
    try:
        start = on_a_small_disk(disk)
        possible = subprocess.run([*start, "true"], capture_output=True, check=False)
        if possible.returncode != 0:
            pytest.skip(f"this machine lets nobody mount a small disk: {possible.stderr.decode().strip()}")
        told = subprocess.run(
            [*start, sys.executable, "-m", "tests.journeys.full_disk", str(disk)],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
    finally:
        shutil.rmtree(disk, ignore_errors=True)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "refused while full: traces.journal_down" in told.stdout
    assert "afterwards: done [1, 2, 3]" in told.stdout
