"""A task that waits for a permission of a connected account goes on when it is given, and for no other reason."""

import asyncio
from datetime import UTC, datetime

from joule.agent.task import done, waiting
from joule.governance import approvals
from joule.governance.approvals import STEP_UP
from joule.kernel.ids import DecisionId, new_id
from joule.tasks.actions import ResumeAfterGrant
from joule.tasks.state import State

ACCOUNT, OTHER = new_id(), new_id()


async def lack(desk, task):
    """Say that the account lacks a permission, as the gate does in the middle of a run."""
    question = new_id()
    async with desk.database.write(desk.org) as session:
        await approvals.ask(
            session,
            org=desk.org,
            approval=question,
            task=task,
            decision=DecisionId(new_id()),
            call="act/1/0",
            action=f"{STEP_UP}{ACCOUNT}",
            binding=bytes(32),
            at=datetime.now(UTC),
        )


async def grant(desk, *connections):
    return (await desk.do(ResumeAfterGrant(principal=desk.principal, connections=connections))).tasks


async def test_the_permission_resumes_the_task_and_another_accounts_does_not(desk, working):
    async def run(claim):
        if claim.attempt > 1:
            return done("with it")
        await lack(desk, claim.task)
        return waiting()

    async with working(run):
        sent = await desk.send("read them")
        await desk.until(sent.task, State.WAITING)

        assert await grant(desk, OTHER) == ()
        assert (await desk.see(sent.task)).facts.state is State.WAITING
        assert await grant(desk, OTHER, ACCOUNT) == (sent.task,)
        seen = await desk.until(sent.task, State.DONE)

    assert (seen.answer, seen.facts.attempt) == ("with it", 2)
    assert await grant(desk, ACCOUNT) == ()


async def test_a_permission_given_before_the_run_has_paused_is_not_lost(desk, working):
    lacking, given = asyncio.Event(), asyncio.Event()

    async def run(claim):
        if claim.attempt > 1:
            return done("went on")
        await lack(desk, claim.task)
        lacking.set()
        await given.wait()
        return waiting()

    async with working(run):
        sent = await desk.send("read them")
        await asyncio.wait_for(lacking.wait(), 10)
        assert await grant(desk, ACCOUNT) == (sent.task,)
        given.set()
        seen = await desk.until(sent.task, State.DONE)

    assert seen.answer == "went on"


async def test_a_stopped_task_stays_stopped(desk, working):
    async def run(claim):
        await lack(desk, claim.task)
        return waiting()

    async with working(run):
        sent = await desk.send("read them")
        await desk.until(sent.task, State.WAITING)
        await desk.stop(sent.task)

        assert await grant(desk, ACCOUNT) == ()
        assert (await desk.see(sent.task)).facts.state is State.STOPPED
