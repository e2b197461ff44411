"""`joule task`: tasks by their ids."""

from datetime import UTC, datetime
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.kernel.ids import PersonId, TaskId


@click.group("task")
def command() -> None:
    """List, show and stop tasks."""


@command.command("list")
@click.option("--person", type=click.UUID, help="Of one person only, by their id.")
@click.option(
    "--state", type=click.Choice(["queued", "running", "waiting", "done", "failed", "stopped"]), help="As it is."
)
@click.option("--tool", default="", help="In which a step used this tool, such as write_file.")
@click.option("--action", default="", help="In which a step was this action, such as memory.write_file.")
@click.option("--decision", type=click.Choice(["allow", "ask", "deny"]), help="In which a step was decided like this.")
@click.option("--code", default="", help="That ended, or had a step that ended, with this error code.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Not older than this (UTC).")
@click.option("--until", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Older than this (UTC).")
@click.option("--before", type=click.UUID, help="Older than this task: the last one of the page before.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many at most.")
@reporting
async def list_tasks(
    output: Output,
    *,
    person: UUID | None,
    state: str | None,
    tool: str,
    action: str,
    decision: str | None,
    code: str,
    since: datetime | None,
    until: datetime | None,
    before: UUID | None,
    limit: int,
) -> None:
    """List tasks, the newest first, without their words. What is asked of a step must hold of one and the same."""
    from joule.tasks import finding
    from joule.tasks.state import State

    sought = finding.Sought(
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
        author=PersonId(person) if person else None,
        state=State(state) if state else None,
        code=code,
        action=action,
        decision=decision or "",
        tool=tool,
    )
    async with opened() as (house, owner), house.database.read(owner.org) as session:
        found = await finding.find(session, owner.org, sought, before=TaskId(before) if before else None, limit=limit)
    rows = [(each.task, each.state.value, each.code or "", f"{each.created_at:%Y-%m-%d %H:%M}") for each in found.tasks]
    more = f"\nOlder ones: --before {found.next}" if found.next else ""
    output.result(
        {"tasks": found.tasks, "next": found.next},
        lambda: f"{table(('task', 'state', 'code', 'created (UTC)'), rows)}{more}",
    )


@command.command("show")
@click.argument("task", type=click.UUID)
@click.option("--steps", is_flag=True, help="Only what support sees: no word of what was said.")
@reporting
async def show(output: Output, task: UUID, steps: bool) -> None:
    """Show what was asked, every step with its decision, and the answer.

    That you read the words stands in the organisation's log before they are shown; secrets in them are masked.
    """
    from joule.cli._follow import words_of
    from joule.cli.access import read
    from joule.tasks import queries
    from traces import reader
    from traces.grants.masking import masked

    async with opened() as (house, person):
        async with house.database.read(person.org) as session:
            view = await queries.task(session, house.vault, person.org, TaskId(task))
            events = await reader.events(session, None, person.org, TaskId(task))
        if not steps and events:
            events = list((await read(house, person, TaskId(task))).events)
    told = {
        "task": task,
        "thread": view.facts.thread,
        "project": view.facts.project,
        "state": view.facts.state,
        "code": view.facts.code,
        "attempt": view.facts.attempt,
        "created_at": view.facts.created_at,
        "ended_at": view.facts.ended_at,
        "events": [event for event in events if event.kind != "text.delta"],
    }
    lines = [line for event in events if (line := words_of(event)) is not None]
    human = [f"Task {task}: {view.facts.state.value} {view.facts.code or ''}".rstrip(), "", *lines]
    if not steps:
        request, answer = masked(view.request), masked(view.answer)
        told |= {"request": request, "answer": answer}
        human[1:1] = ["", request or "(erased)"]
        human += ["", answer or "(no answer)"]
    output.result(told, "\n".join(human))


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
