"""`joule task`: tasks by their ids."""

from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.kernel.ids import TaskId


@click.group("task")
def command() -> None:
    """List, show and stop tasks."""


@command.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@reporting
async def list_tasks(output: Output, limit: int) -> None:
    """List the newest tasks, without their words."""
    from joule.tasks import queries

    async with opened() as (house, person), house.database.read(person.org) as session:
        found = await queries.recent(session, person.org, limit=limit)
    rows = [(each.task, each.state.value, each.code or "", f"{each.created_at:%Y-%m-%d %H:%M}") for each in found]
    output.result({"tasks": found}, lambda: table(("task", "state", "code", "created (UTC)"), rows))


@command.command("show")
@click.argument("task", type=click.UUID)
@reporting
async def show(output: Output, task: UUID) -> None:
    """Show what was asked, every step with its decision, and the answer."""
    from joule.cli._follow import events_of, words_of
    from joule.tasks import queries

    async with opened() as (house, person):
        async with house.database.read(person.org) as session:
            view = await queries.task(session, house.vault, person.org, TaskId(task))
        events = await events_of(house, person.org, TaskId(task))
    steps = [line for event in events if (line := words_of(event)) is not None]
    told = {
        "task": task,
        "thread": view.facts.thread,
        "project": view.facts.project,
        "state": view.facts.state,
        "code": view.facts.code,
        "attempt": view.facts.attempt,
        "created_at": view.facts.created_at,
        "ended_at": view.facts.ended_at,
        "request": view.request,
        "answer": view.answer,
        "events": [event for event in events if event.kind != "text.delta"],
    }
    human = [f"Task {task}: {view.facts.state.value} {view.facts.code or ''}".rstrip(), "", view.request or "(erased)"]
    output.result(told, "\n".join([*human, "", *steps, "", view.answer or "(no answer)"]))


@command.command("stop")
@click.argument("task", type=click.UUID)
@reporting
async def stop(output: Output, task: UUID) -> None:
    """Stop a task at its next safe point."""
    from joule.tasks.actions import StopTask

    async with opened() as (house, person):
        stopping = await house.commands.perform(StopTask(principal=person, task=TaskId(task)))
    output.result(stopping, "Stopped." if stopping.at_once else "It stops at its next safe point.")


@command.command("answer")
@click.argument("approval", type=click.UUID)
@click.option("--approve/--decline", "approved", required=True, help="What you decide.")
@reporting
async def answer(output: Output, approval: UUID, approved: bool) -> None:
    """Answer what a waiting task has asked for; `joule task show` tells the approval's id."""
    from joule.tasks.actions import AnswerApproval

    async with opened() as (house, person):
        answered = await house.commands.perform(AnswerApproval(principal=person, approval=approval, approved=approved))
    output.result(answered, f"Task {answered.task} goes on.")
