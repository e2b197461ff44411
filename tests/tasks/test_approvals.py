"""A task that asks a person waits, holds no worker meanwhile, and goes on when it is answered."""

import asyncio
from datetime import UTC, datetime

import pytest

from joule.agent.task import done, waiting
from joule.governance import approvals
from joule.governance.approvals import Answer
from joule.kernel.errors import Conflict
from joule.kernel.ids import DecisionId, PersonId, new_id
from joule.tasks import queries
from joule.tasks.actions import AnswerApproval
from joule.tasks.dispatch import Queue
from joule.tasks.errors import NotYours, TaskEnded
from joule.tasks.lapsed import resume_lapsed
from joule.tasks.state import State


async def ask(desk, task):
    """Put a question to the person, as the gate does in the middle of a run."""
    approval = new_id()
    async with desk.database.write(desk.org) as session:
        await approvals.ask(
            session,
            org=desk.org,
            approval=approval,
            task=task,
            decision=DecisionId(new_id()),
            call="act/1/0",
            action="memory.write_file",
            binding=bytes(32),
            at=datetime.now(UTC),
        )
    return approval


def agent_that_asks(desk, asked):
    """A run that asks once, pauses, and answers on its next attempt."""

    async def run(claim):
        if claim.attempt > 1:
            return done("with your leave")
        asked.append(await ask(desk, claim.task))
        return waiting()

    return run


async def test_an_answer_resumes_the_task(desk, working):
    asked = []
    async with working(agent_that_asks(desk, asked)):
        sent = await desk.send("write it")
        await desk.until(sent.task, State.WAITING)
        await desk.idle()
        async with desk.database.read(desk.org) as session:
            assert [each.task for each in await queries.waiting(session, desk.org)] == [sent.task]

        answered = await desk.do(AnswerApproval(principal=desk.principal, approval=asked[0], approved=True))
        seen = await desk.until(sent.task, State.DONE)

    assert answered.task == sent.task
    assert (seen.answer, seen.facts.attempt) == ("with your leave", 2)


async def test_an_answer_given_before_the_run_has_paused_is_not_lost(desk, working):
    asked, answered = asyncio.Event(), asyncio.Event()
    approval = []

    async def run(claim):
        if claim.attempt > 1:
            return done("went on")
        approval.append(await ask(desk, claim.task))
        asked.set()
        await answered.wait()
        return waiting()

    async with working(run):
        sent = await desk.send("write it")
        await asyncio.wait_for(asked.wait(), 10)
        await desk.do(AnswerApproval(principal=desk.principal, approval=approval[0], approved=False))
        answered.set()
        seen = await desk.until(sent.task, State.DONE)
    assert seen.answer == "went on"


async def test_a_lost_answer_leaves_the_question_open_and_no_job(desk, working):
    asked = []
    async with working(agent_that_asks(desk, asked)):
        sent = await desk.send("write it")
        await desk.until(sent.task, State.WAITING)
        action = AnswerApproval(principal=desk.principal, approval=asked[0], approved=True)
        with pytest.raises(RuntimeError):
            await desk.do(action, then_fail=True)
        await desk.idle()
        assert (await desk.see(sent.task)).facts.state is State.WAITING

        await desk.do(AnswerApproval(principal=desk.principal, approval=asked[0], approved=True))
        await desk.until(sent.task, State.DONE)
        with pytest.raises(Conflict):
            await desk.do(AnswerApproval(principal=desk.principal, approval=asked[0], approved=True))


async def test_only_the_author_or_an_admin_answers(desk, desk_of, org, working):
    asked = []
    colleague = desk_of(org, PersonId(new_id()))
    async with working(agent_that_asks(desk, asked)):
        sent = await desk.send("write it")
        await desk.until(sent.task, State.WAITING)
        with pytest.raises(NotYours):
            await colleague.do(AnswerApproval(principal=colleague.principal, approval=asked[0], approved=True))
        assert (await desk.see(sent.task)).facts.state is State.WAITING

        await desk.do(AnswerApproval(principal=desk.principal, approval=asked[0], approved=True))
        await desk.until(sent.task, State.DONE)


async def test_a_stopped_task_is_not_woken_by_an_answer(desk, working):
    asked = []
    async with working(agent_that_asks(desk, asked)):
        sent = await desk.send("write it")
        await desk.until(sent.task, State.WAITING)
        await desk.stop(sent.task)
        with pytest.raises(TaskEnded):
            await desk.do(AnswerApproval(principal=desk.principal, approval=asked[0], approved=True))
        await desk.idle()
    assert (await desk.see(sent.task)).facts.state is State.STOPPED


async def test_a_question_lapses_with_the_task_that_asked_it(desk, working):
    asked = []
    async with working(agent_that_asks(desk, asked)):
        stopped, going = await desk.send("write it"), await desk.send("write that")
        for each in (stopped, going):
            await desk.until(each.task, State.WAITING)
        await desk.stop(stopped.task)

    async with desk.database.read(desk.org) as session:
        stands = {
            await approvals.task_of(session, desk.org, each): (
                await approvals.find(session, org=desk.org, approval=each, at=datetime.now(UTC))
            ).answer
            for each in asked
        }
    assert stands == {stopped.task: Answer.EXPIRED, going.task: Answer.WAITING}


async def test_a_task_nobody_answered_in_time_goes_on_without_leave(desk, working):
    asked = []
    async with working(agent_that_asks(desk, asked)):
        sent = await desk.send("write it")
        await desk.until(sent.task, State.WAITING)
        async with desk.database.write(desk.org) as session:
            early = await resume_lapsed(session, desk.org, Queue(), at=datetime.now(UTC))
        async with desk.database.write(desk.org) as session:
            late = await resume_lapsed(session, desk.org, Queue(), at=datetime.now(UTC) + approvals.LIFETIME)
        await desk.until(sent.task, State.DONE)

    assert (early, late) == (0, 1)


async def test_a_task_that_waits_gives_up_its_place(desk, working):
    asked = []

    async def run(claim):
        if claim.request == "ask":
            return await agent_that_asks(desk, asked)(claim)
        return done("")

    async with working(run):
        for _ in range(2):  # as many as there are places
            sent = await desk.send("ask")
            await desk.until(sent.task, State.WAITING)
        await desk.until((await desk.send("go")).task, State.DONE, seconds=5)
