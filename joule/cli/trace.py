"""`joule trace`: the journal of a task, row by row."""

from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.kernel.errors import NotFound
from joule.kernel.ids import TaskId


@click.group("trace")
def command() -> None:
    """Show the journal of a task, as it was written."""


@command.command("show")
@click.argument("task", type=click.UUID)
@click.option("--content", is_flag=True, help="With the words too; without it only what support sees.")
@reporting
async def show(output: Output, task: UUID, content: bool) -> None:
    """Check every row against its chain, then show them."""
    from traces import reader

    async with opened() as (house, person):
        async with house.database.read(person.org) as session:
            checked = await reader.verify_task(session, person.org, TaskId(task))
            events = await reader.events(session, None, person.org, TaskId(task))
        if content:
            from joule.cli._follow import events_of

            events = list(await events_of(house, person.org, TaskId(task)))
    if not events:
        raise NotFound("task")
    rows = [
        (each.seq, f"{each.at:%H:%M:%S.%f}"[:-3], each.kind, each.call or "", each.attrs.get("action", ""))
        for each in events
    ]
    heads = ("row", "time (UTC)", "kind", "call", "action")
    output.result(
        {"task": task, "rows_checked": checked, "events": events},
        lambda: f"{table(heads, rows)}\n{checked} rows; the chain is whole.",
    )
