"""`joule replay`: a recorded task once more, over its record."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Failed, Output, reporting, table
from joule.kernel.ids import TaskId

if TYPE_CHECKING:
    from joule.replay.report import ReplayReport


@click.command("replay")
@click.argument("task", type=click.UUID)
@click.option("--lenient", is_flag=True, help="Go on with what was recorded and list every difference.")
@click.option("--values", is_flag=True, help="Show what stood where it differs; that you read it is put on record.")
@reporting
async def command(output: Output, task: UUID, lenient: bool, values: bool) -> None:
    """Run a recorded task again without any effect and compare.

    Asks no model and touches nothing; without --values it shows no content. Exits with 0 when the replay is identical,
    else with 1.
    """
    from joule.replay.actions import ReplayTask
    from joule.replay.report import Verdict
    from traces.grants.actions import ReadContent

    async with opened() as (house, person):
        if values:
            await house.commands.perform(ReadContent(principal=person, task=TaskId(task)))
        report = await house.commands.perform(
            ReplayTask(principal=person, task=TaskId(task), lenient=lenient, values=values)
        )
    output.result(report, lambda: _shown(report))
    if report.verdict is not Verdict.IDENTICAL:
        raise Failed


def _shown(report: "ReplayReport") -> str:
    lines = [
        f"{report.verdict.value} ({report.grade.value}): {report.calls} calls over {report.events} rows in "
        f"{report.duration_us / 1000:.1f} ms, {report.effects} effects"
    ]
    rows = [
        (each.kind.value, each.at, each.field, each.recorded, each.now, "perhaps" if each.consequence else "")
        for each in report.differences
    ]
    if rows:
        lines.append(table(("kind", "at", "field", "then", "now", "follows"), rows))
    for each in report.differences:
        if each.then_text or each.now_text:
            lines.append(f"\n{each.at} {each.field}\nthen: {each.then_text}\nnow:  {each.now_text}")
    return "\n".join(lines)
