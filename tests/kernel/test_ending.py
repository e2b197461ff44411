"""Ending a task that runs beside."""

import asyncio

import pytest

from joule.kernel import ending
from joule.kernel.ending import end


async def test_a_task_that_lost_its_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN", 0.01)
    lost = 0

    async def loses_two() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost > 2:
                    raise

    task = asyncio.create_task(loses_two())
    await asyncio.sleep(0)

    await end(task)

    assert task.cancelled()


async def test_what_it_ended_with_is_kept_by_the_task_alone() -> None:
    async def broken() -> None:
        raise ValueError("no")

    task = asyncio.create_task(broken())
    await asyncio.wait({task})

    await end(task)

    assert isinstance(task.exception(), ValueError)
