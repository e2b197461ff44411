"""Workers run what was sent, once, within the organisation's places, and stop when they are told to."""

import asyncio
import time
from collections import Counter
from dataclasses import replace

from sqlalchemy import text

from joule.agent.task import done, failed, stopped
from joule.kernel.errors import NotFound, Unavailable
from joule.kernel.ids import OrgId, PersonId, new_id
from joule.kernel.label import Label
from joule.tasks.actions import DeleteThread
from joule.tasks.queries import ERASED_ANSWER
from joule.tasks.state import State


async def test_a_task_is_run_with_the_words_that_came_before_it(desk, working):
    claims = []

    async def run(claim):
        claims.append(claim)
        return done(f"answer to {claim.request}")

    async with working(run):
        first = await desk.send("one")
        await desk.until(first.task, State.DONE)
        second = await desk.send("two", first.thread)
        seen = await desk.until(second.task, State.DONE)

    assert seen.answer == "answer to two"
    assert [(each.request, each.answer) for each in claims[1].history] == [("one", "answer to one")]
    assert claims[1].attempt == 1
    assert claims[1].principal.via.value == "agent"
    assert await desk.jobs() == []


async def test_what_an_answer_was_made_from_goes_with_it_and_an_answer_made_from_what_is_erased_is_not_told_again(
    desk, working
):
    gone, claims = set(), []

    async def run(claim):
        claims.append(claim)
        made_from = Label(sources=frozenset({"document:red"} if claim.request == "one" else {"document:blue"}))
        return replace(done(f"answer to {claim.request}"), label=made_from)

    async def erased(session, org, sources):
        return gone & set(sources)

    async with working(run, erased=erased):
        thread = None
        for words in ("one", "two", "three"):
            sent = await desk.send(words, thread)
            thread = sent.thread
            await desk.until(sent.task, State.DONE)
            if words == "two":
                gone.add("document:red")

    before, after = claims[1].history, claims[2].history
    one, two = (f"message:{each.task}" for each in after)  # what is made from them goes with them
    assert [(each.answer, set(each.label.sources)) for each in before] == [("answer to one", {"document:red", one})]
    assert [each.request for each in after] == ["one", "two"]
    assert [each.answer for each in after] == [ERASED_ANSWER, "answer to two"]
    assert [set(each.label.sources) for each in after] == [{one}, {"document:blue", two}]


async def test_a_sent_task_starts_at_once(desk, working):
    async def run(claim):
        return done("")

    async with working(run):
        await desk.until((await desk.send("warm up")).task, State.DONE)
        sent = time.monotonic()
        seen = await desk.until((await desk.send("go")).task, State.DONE)
        took = time.monotonic() - sent

    assert seen.facts.started_at is not None
    assert took < 2  # it does not wait for any sweep


async def test_a_run_that_raises_fails_with_its_code_and_the_worker_goes_on(desk, working):
    async def run(claim):
        match claim.request:
            case "missing":
                raise NotFound("file")
            case "bug":
                raise ZeroDivisionError
            case "given up":
                return failed("task.limit_reached", answer="half")
        return done("fine")

    async with working(run):
        ends = {}
        for words in ("missing", "bug", "given up", "good"):
            view = await desk.until((await desk.send(words)).task, State.DONE, State.FAILED)
            ends[words] = (view.facts.code, view.answer)

    assert ends == {
        "missing": ("joule.not_found", None),
        "bug": ("task.crashed", None),
        "given up": ("task.limit_reached", "half"),
        "good": (None, "fine"),
    }


async def test_what_is_away_is_waited_for_and_the_task_tried_again(desk, working):
    attempts = []

    async def run(claim):
        attempts.append(claim.attempt)
        if len(attempts) < 3:
            raise Unavailable("the model")
        return done("at last")

    async with working(run):
        seen = await desk.until((await desk.send("try")).task, State.DONE)

    assert seen.answer == "at last"
    assert attempts == [1, 2, 3]


async def test_a_stop_reaches_the_run_promptly(desk, working):
    started = asyncio.Event()

    async def run(claim):
        started.set()
        await claim.stop.wait()
        return stopped("so far")

    async with working(run):
        sent = await desk.send("long work")
        await asyncio.wait_for(started.wait(), 10)
        asked = time.monotonic()
        await desk.stop(sent.task)
        seen = await desk.until(sent.task, State.STOPPED)
        took = time.monotonic() - asked

    assert seen.answer == "so far"
    assert took < 1


async def test_deleting_a_thread_ends_its_run(desk, working):
    started, ended = asyncio.Event(), asyncio.Event()

    async def run(claim):
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return done("too late")

    async with working(run):
        sent = await desk.send("long work")
        await asyncio.wait_for(started.wait(), 10)
        await desk.do(DeleteThread(principal=desk.principal, thread=sent.thread))
        await asyncio.wait_for(ended.wait(), 10)
    assert await desk.jobs() == []


async def test_an_organisation_keeps_within_its_places_and_is_served_in_order(desk, working):
    running, peak, order = 0, 0, []

    async def run(claim):
        nonlocal running, peak
        order.append(claim.task)
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.1)
        running -= 1
        return done("")

    sent = [(await desk.send(f"task {number}")).task for number in range(20)]
    began = time.monotonic()
    async with working(run):
        for task in sent:
            await desk.until(task, State.DONE)
        took = time.monotonic() - began

    assert peak == 2
    assert Counter(order) == Counter(sent)  # each once
    assert sorted(order) == sorted(sent)
    assert all(abs(order.index(task) - place) <= 1 for place, task in enumerate(sent))
    assert took < 10  # 1 s of work in two places; a poll per task would be far slower


async def test_a_busy_organisation_does_not_hold_up_another(desk, desk_of, working):
    quiet = desk_of(OrgId(new_id()), PersonId(new_id()))
    release = asyncio.Event()

    async def run(claim):
        if claim.org == desk.org:
            await release.wait()
        return done("")

    busy = [(await desk.send(f"task {number}")).task for number in range(12)]
    async with working(run):
        seen = await quiet.until((await quiet.send("a small thing")).task, State.DONE, seconds=5)
        release.set()
        for task in busy:
            await desk.until(task, State.DONE)
    assert seen.facts.state is State.DONE


async def test_stopping_a_queued_task_gives_its_turn_to_the_next(desk, working):
    release = asyncio.Event()

    async def run(claim):
        if claim.request == "long":
            await release.wait()
        return done("")

    async with working(run):
        long = [(await desk.send("long")).task for _ in range(2)]
        for task in long:
            await desk.until(task, State.RUNNING)
        third, fourth = (await desk.send("three")).task, (await desk.send("four")).task
        await desk.stop(third)
        release.set()
        await desk.until(fourth, State.DONE)
        assert (await desk.see(third)).facts.state is State.STOPPED


async def test_a_worker_that_is_told_to_end_hands_its_task_to_another(desk, working):
    attempts = []

    async def run(claim):
        attempts.append(claim.attempt)
        if claim.attempt == 1:
            await asyncio.sleep(60)
        return done("by the other")

    sent = await desk.send("long work")
    async with working(run, grace=0.1):
        await desk.until(sent.task, State.RUNNING)
    assert (await desk.see(sent.task)).facts.state is State.QUEUED
    assert await desk.jobs() == [sent.task]

    async with working(run):
        seen = await desk.until(sent.task, State.DONE)
    assert (seen.answer, attempts) == ("by the other", [1, 2])


async def test_a_worker_outlives_the_loss_of_its_connections(desk, working, test_server, address):
    attempts = []

    async def run(claim):
        attempts.append(claim.attempt)
        if len(attempts) == 1:
            async with desk.database.read(claim.org) as session:  # dies with its connection
                await session.execute(text("SELECT pg_sleep(30)"))
        return done("after the break")

    sent = await desk.send("long work")
    async with working(run):
        await desk.until(sent.task, State.RUNNING)
        await asyncio.sleep(0.3)
        await _break_all_connections(test_server, desk)
        seen = await desk.until(sent.task, State.DONE, seconds=30)
        later = await desk.until((await desk.send("and on")).task, State.DONE, seconds=30)

    assert seen.answer == "after the break"
    assert later.answer == "after the break"
    assert attempts[0] == 1


async def _break_all_connections(server, desk) -> None:
    import psycopg

    name = psycopg.conninfo.conninfo_to_dict(desk.database.url)["dbname"]
    async with await psycopg.AsyncConnection.connect(server.superuser_url(), autocommit=True) as connection:
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
