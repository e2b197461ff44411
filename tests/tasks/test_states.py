"""A task moves only as it may, whoever asks."""

import itertools
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from joule.kernel.errors import Fenced, NotFound
from joule.kernel.ids import TaskId, new_id
from joule.tasks import _states
from joule.tasks._states import MOVES, State
from joule.tasks.errors import IllegalMove

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WAY = {
    State.QUEUED: [],
    State.RUNNING: [State.RUNNING],
    State.WAITING: [State.RUNNING, State.WAITING],
    State.DONE: [State.RUNNING, State.DONE],
    State.FAILED: [State.RUNNING, State.FAILED],
    State.STOPPED: [State.STOPPED],
}


async def task_that_is(desk, state):
    task = (await desk.send("x")).task
    async with desk.database.write(desk.org) as session:
        for each in WAY[state]:
            if each is State.RUNNING:
                await _states.claim(session, desk.org, task, worker="w", at=NOW)
            else:
                code = "x.y" if each is State.FAILED else None
                await _states.move(session, desk.org, task, each, at=NOW, code=code)
    return task


async def test_code_and_database_allow_the_same_moves(desk):
    allowed_by_code, allowed_by_database = set(), set()
    for before, after in itertools.product(State, State):
        if before is after:
            continue
        task = await task_that_is(desk, before)
        code = "x.y" if after is State.FAILED else None
        if after in MOVES[before]:
            allowed_by_code.add((before, after))
        try:
            async with desk.database.write(desk.org) as session:
                await session.execute(
                    text("UPDATE task SET state = :state, code = :code, ended_at = :ended WHERE id = :task"),
                    {"state": after.value, "code": code, "ended": NOW if after.is_ended else None, "task": task},
                )
            allowed_by_database.add((before, after))
        except DBAPIError:
            pass
    assert allowed_by_code == allowed_by_database
    assert allowed_by_code


async def test_an_ended_task_does_not_move(desk):
    task = await task_that_is(desk, State.DONE)

    with pytest.raises(IllegalMove):
        async with desk.database.write(desk.org) as session:
            await _states.move(session, desk.org, task, State.QUEUED, at=NOW)
    async with desk.database.write(desk.org) as session:
        assert await _states.claim(session, desk.org, task, worker="w", at=NOW) is None
    assert (await desk.see(task)).facts.state is State.DONE


async def test_only_the_newest_attempt_ends_a_task(desk):
    task = await task_that_is(desk, State.RUNNING)
    async with desk.database.write(desk.org) as session:
        assert await _states.claim(session, desk.org, task, worker="other", at=NOW) == 2

    with pytest.raises(Fenced):
        async with desk.database.write(desk.org) as session:
            await _states.move(session, desk.org, task, State.DONE, at=NOW, attempt=1)

    async with desk.database.write(desk.org) as session:
        await _states.move(session, desk.org, task, State.DONE, at=NOW, attempt=2)
    assert (await desk.see(task)).facts.state is State.DONE


async def test_a_task_nobody_knows_does_not_move(desk):
    with pytest.raises(NotFound):
        async with desk.database.write(desk.org) as session:
            await _states.move(session, desk.org, TaskId(new_id()), State.STOPPED, at=NOW)
