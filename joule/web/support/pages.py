"""Find a task, its timeline, its replay. Reads heads of the journal alone: no key is opened here."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from joule.database.engine import ReadSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, TaskId
from joule.llm import queries as llm
from joule.replay.actions import ReplayTask
from joule.replay.report import Difference, Divergence, ReplayReport, Verdict
from joule.tasks import queries as tasks
from joule.tasks.queries import TaskFacts
from joule.web import wording
from joule.web.access import Here, Replayer, TimelineReader
from joule.web.chat.views import Fact
from joule.web.context import Web
from joule.web.shell import is_offline, shell_of
from joule.web.support.timeline import Row, rows
from traces import reader
from traces.reader import TaskEvent

router = APIRouter(prefix="/support")

_TONES = {"done": "ok", "failed": "no", "waiting": "ask"}
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
class TimelinePage:
    """A task's timeline."""

    id: UUID
    figures: tuple[Fact, ...]
    rows: tuple[Row, ...]


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


@router.get("")
async def find(web: Here, person: TimelineReader, task: str = "") -> Response:
    """Finds a task by its id; else the newest ones."""
    wrong = ""
    async with web.house.database.read(person.org) as session:
        if task.strip():
            try:
                await _events(session, person.org, TaskId(UUID(task.strip())))
                return RedirectResponse(f"/support/tasks/{UUID(task.strip())}", status_code=303)
            except ValueError:
                wrong = "This is not a task id. An id looks like 0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f."
            except NotFound:
                wrong = "There is no task with this id in this organisation."
        shell = await shell_of(web, session, person, at="/support")
        found = await tasks.recent(session, person.org, limit=30)
    lines = [
        {
            "id": each.task,
            "at": each.created_at,
            "took": _took(each),
            "state": each.state.value.capitalize(),
            "tone": _TONES.get(each.state.value, ""),
        }
        for each in found
    ]
    return web.templates.page("support/page.html", shell=shell, tasks=lines, asked=task, wrong=wrong)


@router.get("/tasks/{task}")
async def timeline(web: Here, person: TimelineReader, task: UUID) -> Response:
    """What a task did, without a word of what was said."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support")
        events, facts = await _events(session, person.org, TaskId(task))
        usage = await llm.usage_of_task(session, person.org, TaskId(task))
    page = TimelinePage(id=task, figures=_figures(web, shell.organisation, events, facts, usage), rows=rows(events))
    return web.templates.page("support/task.html", shell=shell, page=page)


@router.post("/tasks/{task}/replay")
async def replay(web: Here, person: Replayer, task: UUID) -> Response:
    """Runs the task again over its record and says what came of it."""
    report = await web.house.commands.perform(ReplayTask(principal=person.principal, task=TaskId(task)))
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support")
    return web.templates.page("support/replay.html", shell=shell, page=_replay(report))


async def _events(session: ReadSession, org: OrgId, task: TaskId) -> tuple[list[TaskEvent], TaskFacts | None]:
    """The heads of a task's rows, and what is known of the task. A command of a person has rows and no task."""
    events = await reader.events(session, None, org, task)
    try:
        return events, await tasks.facts(session, org, task)
    except NotFound:
        if not events:
            raise
        return events, None


def _figures(
    web: Web, organisation: str, events: list[TaskEvent], facts: TaskFacts | None, usage: llm.Usage
) -> tuple[Fact, ...]:
    started = next((each.attrs for each in events if each.kind == "task.started"), {})
    bundle = next((str(each.attrs["bundle"]) for each in events if "bundle" in each.attrs), "")
    state = facts.state.value if facts else "done"
    code = f" ({facts.code})" if facts and facts.code else ""
    figures = [
        ("Status", f"{state.capitalize()}{code}"),
        ("Organisation", organisation),
        ("Model", "Offline model" if is_offline(web) else web.settings.llm.name),
        ("Model calls", f"{usage.calls}"),
        ("Tokens", f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"),
        ("Cost", wording.spend(usage.spend_micros)),
        ("Attempts", str(facts.attempt) if facts else "1"),
        ("Took", _took(facts) if facts else "") if facts else ("Kind", "Command of a person"),
        ("Policy version", bundle[:10]),
        ("Joule version", str(started.get("code_version", "unknown"))),
        ("Rows in the record", str(len(events))),
    ]
    return tuple(Fact(name=name, value=value or "–") for name, value in figures)


def _took(facts: TaskFacts) -> str:
    if facts.ended_at is None:
        return ""
    return wording.duration(facts.ended_at - (facts.started_at or facts.created_at))


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
