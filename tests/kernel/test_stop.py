"""Whoever is at work when a stop is asked for hears it; nobody else does."""

import asyncio

from joule.kernel.stop import Stop


def test_it_calls_those_at_work_when_it_is_set():
    stop, heard = Stop(), []
    with stop.calling(lambda: heard.append("gone before")):
        pass
    with stop.calling(lambda: heard.append("at work")):
        stop.set()

    assert heard == ["at work"]
    assert stop.is_set()


async def test_it_can_be_waited_for_too():
    stop = Stop()
    waiting = asyncio.create_task(stop.wait())
    stop.set()

    assert await asyncio.wait_for(waiting, 5)
