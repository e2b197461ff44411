"""Replays a task over its record and says what came of it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from joule.kernel.ids import TaskId
from joule.replay.actions import ReplayTask
from joule.replay.report import Difference, Divergence, ReplayReport, Verdict
from joule.web import wording
from joule.web.access import Here, Replayer
from joule.web.chat.views import Fact
from joule.web.shell import shell_of

router = APIRouter(prefix="/support")

_FOUND = {
    Verdict.IDENTICAL: ("Identical", "The same run over its record asks, decides and answers the same, step by step."),
    Verdict.DIVERGED: ("Diverged", "The same run would go another way today. Each difference is named below."),
    Verdict.NOT_REPLAYABLE: ("Not replayable", "Part of what was recorded is no longer there, so nothing is compared."),
}
_DIVERGENCES = {
    Divergence.DECISION: "The policy decides otherwise",
    Divergence.ARGUMENTS: "A tool would be asked something else",
    Divergence.CALLS: "A call is made that was not, or the reverse",
    Divergence.REQUEST: "The model would be asked something else",
    Divergence.VERSION: "Code, prompt, tools or policy changed",
    Divergence.ERASED: "What was recorded is no longer there",
    Divergence.ANSWER: "The same calls end in another answer",
}


@dataclass(frozen=True, kw_only=True)
class DifferenceLine:
    """One divergence."""

    step: str
    field: str
    recorded: str
    replayed: str


@dataclass(frozen=True, kw_only=True)
class ReplayPage:
    """What a replay found."""

    id: UUID
    identical: bool
    title: str
    summary: str
    divergences: tuple[DifferenceLine, ...]
    figures: tuple[Fact, ...]


@router.post("/tasks/{task}/replay")
async def replay(web: Here, person: Replayer, task: UUID) -> Response:
    """Runs the task again over its record and says what came of it."""
    report = await web.house.commands.perform(ReplayTask(principal=person.principal, task=TaskId(task)))
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support")
    return web.templates.page("support/replay.html", shell=shell, page=_replay(report))


def _replay(report: ReplayReport) -> ReplayPage:
    title, summary = _FOUND[report.verdict]
    return ReplayPage(
        id=report.task,
        identical=report.verdict is Verdict.IDENTICAL,
        title=title,
        summary=summary,
        divergences=tuple(_difference(each) for each in report.differences),
        figures=(
            Fact(name="Steps compared", value=str(report.calls)),
            Fact(name="Rows read", value=str(report.events)),
            Fact(name="Effects caused", value=str(report.effects)),
            Fact(name="Took", value=wording.duration(timedelta(microseconds=report.duration_us))),
        ),
    )


def _difference(each: Difference) -> DifferenceLine:
    return DifferenceLine(
        step=each.at,
        field=f"{_DIVERGENCES[each.kind]} ({each.kind.value}, {each.field})",
        recorded=each.recorded,
        replayed=each.now,
    )
