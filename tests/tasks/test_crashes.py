"""Workers that are killed, frozen and ended from outside, as processes of their own."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from joule.tasks.state import State

ROOT = Path(__file__).parents[2]


@pytest.fixture
def process(app_url, tmp_path, vault):
    """`async with process() as worker:` a worker process that is ready."""

    @asynccontextmanager
    async def start(stalled: float = 2.0):
        key_file = tmp_path / "vault" / "kek.json"
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.tasks.worker_process",
            app_url,
            str(key_file),
            str(stalled),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert await asyncio.wait_for(child.stdout.readline(), 30) == b"ready\n"
            yield child
        finally:
            if child.returncode is None:
                os.kill(child.pid, signal.SIGCONT)
                child.kill()
            await child.wait()

    return start


async def test_a_killed_workers_task_is_taken_over(desk, process, tmp_path):
    attempts = tmp_path / "attempts"
    async with process() as first:
        sent = await desk.send(f"slow {attempts}")
        await written(attempts, 1)
        first.kill()
        await first.wait()
        assert (await desk.see(sent.task)).facts.state is State.RUNNING

        async with process():
            seen = await desk.until(sent.task, State.DONE)
            await desk.idle()  # before the worker is ended: whoever finishes a task closes its job a moment later

    assert seen.answer == "attempt 2"
    assert attempts.read_text().split() == ["1", "2"]


async def test_a_killed_workers_task_is_taken_over_long_before_its_heartbeat_is_missed(desk, process, tmp_path):
    attempts = tmp_path / "attempts"
    async with process(stalled=300) as first, process(stalled=300) as second:
        sent = await desk.send(f"slow {attempts}")
        await written(attempts, 1)
        pid = await holder(desk, sent.task)
        for worker in (first, second):
            if worker.pid == pid:
                worker.kill()
        seen = await desk.until(sent.task, State.DONE, seconds=10)
    assert seen.answer == "attempt 2"


async def holder(desk, task) -> int:
    async with desk.database.read(desk.org) as session:
        found = await session.execute(text("SELECT worker FROM task WHERE id = :task"), {"task": task})
        return int(found.scalar_one().split(":")[1])


async def test_a_worker_that_wakes_up_after_it_was_replaced_changes_nothing(desk, process, tmp_path):
    attempts = tmp_path / "attempts"
    async with process() as zombie:
        sent = await desk.send(f"slow {attempts} 1.0")
        await written(attempts, 1)
        os.kill(zombie.pid, signal.SIGSTOP)
        async with process() as other:
            seen = await desk.until(sent.task, State.DONE)
            assert seen.answer == "attempt 2"

            os.kill(zombie.pid, signal.SIGCONT)
            await asyncio.sleep(2.5)  # the zombie's run ends by itself and is refused

            after = await desk.see(sent.task)
            assert (after.answer, after.facts.attempt) == ("attempt 2", 2)
            assert other.returncode is None
            fresh = await desk.until((await desk.send("quick")).task, State.DONE)
    assert fresh.answer == "attempt 1"


async def test_a_terminated_worker_hands_its_task_over_at_once(desk, process, tmp_path):
    attempts = tmp_path / "attempts"
    async with process(stalled=60) as first:
        sent = await desk.send(f"slow {attempts}")
        await written(attempts, 1)
        first.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.wait(), 15) == 0
        assert (await desk.see(sent.task)).facts.state is State.QUEUED

        async with process(stalled=60):
            seen = await desk.until(sent.task, State.DONE, seconds=10)
    assert seen.answer == "attempt 2"


async def test_no_task_is_lost_when_workers_are_killed_again_and_again(desk, process):
    sent = [(await desk.send("hold 0.2")).task for _ in range(20)]
    for _ in range(3):
        async with process() as worker:
            await asyncio.sleep(0.8)
            worker.kill()
            await worker.wait()
    async with process():
        for task in sent:
            seen = await desk.until(task, State.DONE, seconds=40)
            assert seen.answer is not None
        await desk.idle()


async def written(path: Path, lines: int) -> None:
    async with asyncio.timeout(20):
        while lines_of(path) < lines:
            await asyncio.sleep(0.02)


def lines_of(path: Path) -> int:
    return len(path.read_text().split()) if path.exists() else 0
