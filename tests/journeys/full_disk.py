"""Run by `test_faults` inside a mount namespace of its own: the journal's disk fills up while a task is at work."""

import asyncio
import sys
from pathlib import Path

from joule.kernel.errors import JouleError
from joule.tasks.actions import StartTask
from memory.actions import CreateProject
from tests.journeys.test_faults import REQUEST, SCRIPT, ended, own_server, versions
from tests.support.house import home
from tests.support.scripted_model import ScriptedModel


def fill(disk: Path) -> None:
    """Leave not one free block."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(65536))
        except OSError:
            pass


async def main(disk: Path) -> None:
    """Fill the disk at the second turn, see everything refused, make room, see the task end."""
    model = ScriptedModel(script=SCRIPT)
    async with own_server(disk / "home") as (server, settings), home(settings, model=model) as here:
        full = asyncio.Event()

        async def starve() -> None:
            if not full.is_set():
                await asyncio.to_thread(fill, disk)
                full.set()

        model.before = lambda turn: starve() if turn == 1 else None
        stop = asyncio.Event()
        serving = asyncio.create_task(here.serve(stop))
        started = await here.house.commands.perform(StartTask(principal=here.owner, project=here.project, text=REQUEST))
        await full.wait()
        codes = set()
        for _try in range(40):  # a page or two of the write-ahead log may still have room
            try:
                await here.house.commands.perform(CreateProject(principal=here.owner, title="x" * 100))
            except JouleError as problem:
                codes.add(problem.code)
                break
        print("refused while full:", *codes)
        (disk / "ballast").unlink()
        facts = await ended(here, started.task)
        print("afterwards:", facts.state.value, await versions(here, server.address.owner_url))
        stop.set()
        await serving


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
