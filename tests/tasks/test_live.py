"""A browser that follows a task sees all of it, once, whenever it comes back."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from joule.agent.task import done
from joule.database.signals import notify
from joule.kernel.errors import NotFound
from joule.kernel.ids import ThreadId, new_id
from joule.tasks.actions import DeleteThread
from joule.tasks.live import Look, follow, reading
from joule.tasks.state import TASK_CHANNEL, State
from joule.tasks.stream import sse
from traces.reader import TaskEvent


def row(seq, kind, call=None, attrs=None, **content):
    return TaskEvent(
        seq=seq, at=datetime(2026, 11, 21, tzinfo=UTC), kind=kind, call=call, attrs=attrs or {}, content=content
    )


ROWS = [
    row(0, "task.started"),
    row(1, "text.delta", "model/1", text="one "),
    row(2, "text.delta", "model/1", text="two "),
    row(3, "action.result", "model/1", {"action": "llm.generate"}, result={"text": "one two "}),
    row(4, "task.ended", None, {"outcome": "done"}, answer="one two"),
]


class Growing:
    """A journal that gets one row more whenever the test says so."""

    def __init__(self, rows=0):
        self.thread, self.rows = ThreadId(new_id()), rows

    async def read(self, after):
        state = State.DONE if self.rows == len(ROWS) else State.RUNNING
        rows = [each for each in ROWS[: self.rows] if each.seq > after]
        return Look(thread=self.thread, state=state, code=None, rows=rows)


async def heard(desk, task, read, after=None, most=None):
    found = []
    async for sent in follow(task, read=read, signals=desk.database.listen(TASK_CHANNEL), after=after):
        if sent is not None:
            found.append(sent)
        if most is not None and len(found) == most:
            break
    return found


async def test_a_signal_brings_the_next_row_at_once(desk):
    task = new_id()
    journal = Growing(rows=1)
    took = []

    async def grow():
        while journal.rows < len(ROWS):
            await asyncio.sleep(0.3)
            journal.rows += 1
            took.append(time.monotonic())
            async with desk.database.write(desk.org) as session:
                await notify(session, TASK_CHANNEL, str(task))

    growing = asyncio.create_task(grow())
    found = await heard(desk, task, journal.read)
    ended = time.monotonic()
    await growing

    assert found[-1].event.type.value == "RUN_FINISHED"
    assert ended - took[-1] < 0.5  # well under the second that polling would take


async def test_without_signals_it_takes_a_second_and_nothing_is_lost(desk):
    journal = Growing(rows=2)

    async def silence():
        await asyncio.Event().wait()
        yield ""

    async def grow():
        await asyncio.sleep(0.1)
        journal.rows = len(ROWS)

    growing = asyncio.create_task(grow())
    found = [sent async for sent in follow(new_id(), read=journal.read, signals=silence())]
    await growing
    assert found[-1].event.type.value == "RUN_FINISHED"


async def test_coming_back_anywhere_gives_the_rest(desk):
    task, journal = new_id(), Growing(rows=len(ROWS))
    whole = await heard(desk, task, journal.read)
    for cut in range(1, len(whole) + 1):
        rest = await heard(desk, task, journal.read, after=str(whole[cut - 1].id))
        assert "".join(map(sse, whole[:cut] + rest)) == "".join(map(sse, whole))


async def test_a_quiet_stream_says_that_it_is_there(desk):
    signals = desk.database.listen(TASK_CHANNEL)
    stream = follow(new_id(), read=Growing(rows=1).read, signals=signals, keep_alive=1.0)

    async with asyncio.timeout(10):
        while await anext(stream) is not None:
            pass
    await stream.aclose()


async def test_following_a_task_ends_with_it(desk, working):
    sent = await desk.send("never mind")

    async def run(claim):
        return done("fine")

    read = reading(desk.database, desk.vault, desk.org, sent.task)
    following = asyncio.create_task(heard(desk, sent.task, read))
    await asyncio.sleep(0.2)
    async with working(run):
        found = await asyncio.wait_for(following, 10)
    assert [each.event.type.value for each in found] == ["RUN_STARTED", "RUN_FINISHED"]

    stopped = await desk.send("not this")
    await desk.stop(stopped.task)
    found = await heard(desk, stopped.task, reading(desk.database, desk.vault, desk.org, stopped.task))
    assert found[-1].event.outcome.type == "cancelled"


async def test_a_reader_may_stay_through_a_pause(desk):
    journal = Growing(rows=2)
    states = [State.WAITING, State.RUNNING, State.DONE]

    async def read(after):
        state = states.pop(0) if len(states) > 1 else states[0]
        journal.rows = len(ROWS) if state is State.DONE else 2
        look = await journal.read(after)
        return Look(thread=look.thread, state=state, code=None, rows=look.rows)

    signals = desk.database.listen(TASK_CHANNEL)
    found = [each async for each in follow(new_id(), read=read, signals=signals, through_pauses=True)]
    assert found[-1].event.type.value == "RUN_FINISHED"


async def test_following_a_deleted_task_ends(desk):
    sent = await desk.send("forget me")
    read = reading(desk.database, desk.vault, desk.org, sent.task)
    following = asyncio.create_task(heard(desk, sent.task, read))
    await asyncio.sleep(0.2)

    await desk.do(DeleteThread(principal=desk.principal, thread=sent.thread))

    with pytest.raises(NotFound):
        await asyncio.wait_for(following, 10)
