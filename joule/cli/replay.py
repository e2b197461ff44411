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
@reporting
async def command(output: Output, task: UUID) -> None:
    """Run a recorded task again without any effect and compare.

    Asks no model and touches nothing; shows no content. Exits with 0 when the replay is identical, else with 1.
    """
    from joule.replay.actions import ReplayTask
    from joule.replay.report import Verdict

    async with opened() as (house, person):
        report = await house.commands.perform(ReplayTask(principal=person, task=TaskId(task)))
    output.result(report, lambda: _shown(report))
    if report.verdict is not Verdict.IDENTICAL:
        raise Failed


def _shown(report: "ReplayReport") -> str:
    lines = [
        f"{report.verdict.value}: {report.calls} calls over {report.events} rows in {report.duration_us / 1000:.1f} ms,"
        f" {report.effects} effects"
    ]
    rows = [(each.kind.value, each.at, each.field, each.recorded, each.now) for each in report.differences]
    if rows:
        lines.append(table(("kind", "at", "field", "recorded", "now"), rows))
    return "\n".join(lines)
