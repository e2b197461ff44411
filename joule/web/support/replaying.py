"""Replays a task over its record, asks what other policies would have decided of it, takes its proof along.

None of it runs anything again. Values of what differs are shown only after the read is on record, like all content.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import Response

from joule.governance.rules import queries as rules
from joule.governance.rules.results import State
from joule.kernel.ids import TaskId
from joule.replay.actions import AskWhatIfOfTask, ReplayTask
from joule.replay.judging import Change, DecisionLine
from joule.replay.report import Difference, Divergence, ReplayReport, Verdict
from joule.web import wording
from joule.web.access import Here, Replayer, TimelineReader
from joule.web.chat.views import Fact
from joule.web.shell import shell_of
from traces.grants import queries as grants
from traces.grants.actions import ReadContent
from traces.proof.actions import ExportRecord

router = APIRouter(prefix="/support")

_FOUND = {
    Verdict.IDENTICAL: ("Identical", "The same run over its record asks, decides and answers the same, step by step."),
    Verdict.DIVERGED: ("Diverged", "The same run would go another way today. What differs first is named below."),
    Verdict.NOT_REPLAYABLE: ("Not replayable", "Part of what was recorded is no longer there, so nothing is compared."),
}
_DIVERGENCES = {
    Divergence.NONE: "No difference",
    Divergence.DECISION: "The policy decides otherwise",
    Divergence.ARGUMENTS: "A tool would be asked something else",
    Divergence.CALLS: "A call is made that was not, or the reverse",
    Divergence.REQUEST: "The model would be asked something else",
    Divergence.VERSION: "Code, prompt, tools or policy changed",
    Divergence.ERASED: "What was recorded is no longer there",
    Divergence.ANSWER: "The same calls end in another answer",
}
_CHANGES = {
    Change.UNCHANGED: ("Unchanged", ""),
    Change.DENIED: ("Would be refused", "no"),
    Change.ASKED: ("A person would be asked", "ask"),
    Change.ALLOWED: ("Would be allowed", "ok"),
    Change.UNDECIDABLE: ("Cannot be decided", ""),
}
_WORDS = {"allow": "Allowed", "ask": "Asked a person", "deny": "Refused", "undecidable": "Cannot be decided"}
_STATES = {State.DRAFT: "draft", State.TRIAL: "on trial", State.ENFORCED: "in force", State.RETIRED: "retired"}


@dataclass(frozen=True, kw_only=True)
class DifferenceLine:
    """One divergence. `href` leads to the step in the timeline, where the record has one."""

    step: str
    href: str
    title: str
    field: str
    then: str
    now: str
    policies: str
    withheld: bool
    consequence: bool


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """What the run depended on, then and now."""

    name: str
    then: str
    now: str
    is_same: bool


@dataclass(frozen=True, kw_only=True)
class JudgedLine:
    """One decision, then and under the other policies."""

    seq: int
    step: str
    action: str
    then: str
    now: str
    change: str
    tone: str
    policies: str
    is_unknown: bool


@router.post("/tasks/{task}/replay")
async def replay(
    web: Here,
    person: Replayer,
    task: UUID,
    lenient: Annotated[bool, Form()] = False,
    values: Annotated[bool, Form()] = False,
) -> Response:
    """Runs the task again over its record and says what came of it. With values only after the read is on record."""
    if values:
        await web.house.commands.perform(ReadContent(principal=person.principal, task=TaskId(task)))
    report = await web.house.commands.perform(
        ReplayTask(principal=person.principal, task=TaskId(task), lenient=lenient, values=values)
    )
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support")
        readable = await grants.readable(
            session, person.org, TaskId(task), person=person.person, role=person.role, now=web.house.clock.now()
        )
    title, summary = _FOUND[report.verdict]
    return web.templates.page(
        "support/replay.html",
        shell=shell,
        task=task,
        is_identical=report.verdict is Verdict.IDENTICAL,
        title=title,
        summary=summary,
        grade=report.grade.value,
        lines=[_difference(each, task) for each in report.differences],
        versions=[
            VersionLine(
                name=each.name, then=each.recorded[:16] or "not recorded", now=each.now[:16], is_same=each.is_same
            )
            for each in report.versions
        ],
        figures=_figures(report),
        lenient=lenient,
        may_show=bool(readable) and not values and any(each.withheld for each in report.differences),
    )


@router.post("/tasks/{task}/what-if")
async def what_if(web: Here, person: Replayer, task: UUID, version: Annotated[str, Form()] = "") -> Response:
    """Judges every decision of one task again, under one version of the policies. Reads recorded facts alone."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support")
        versions = await rules.versions(session, web.house.vault, person.org, with_source=False)
    chosen = next((each for each in versions if str(each.version) == version), None)
    found = await web.house.commands.perform(
        AskWhatIfOfTask(
            principal=person.principal, task=TaskId(task), version=chosen.version if chosen is not None else None
        )
    )
    changed = [each for each in found.lines if each.change is not Change.UNCHANGED]
    return web.templates.page(
        "support/what_if.html",
        shell=shell,
        task=task,
        versions=[(str(each.version), f"Version {each.number}, {_STATES[each.state]}") for each in versions],
        chosen=str(chosen.version) if chosen is not None else "",
        counts=[Fact(name=title, value=str(found.count(change))) for change, (title, _) in _CHANGES.items()],
        lines=[_judged(each) for each in found.lines],
        changed=len(changed),
    )


@router.post("/tasks/{task}/bundle")
async def bundle(web: Here, person: TimelineReader, task: UUID) -> Response:
    """The redacted bundle: what proves the record, and the program that checks it. No word of what was said."""
    made = await web.house.commands.perform(ExportRecord(principal=person.principal, task=TaskId(task)))
    return Response(
        made.content.get_secret_value(),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{made.file_name}"'},
    )


def _difference(each: Difference, task: UUID) -> DifferenceLine:
    both = ("", "") if each.withheld else (each.then_text or each.recorded, each.now_text or each.now)
    policies = [", ".join(found) for found in (each.policies_then, each.policies_now)]
    return DifferenceLine(
        step=each.at,
        href=f"/support/tasks/{task}#seq-{each.seq}" if each.seq is not None else "",
        title=f"{_DIVERGENCES[each.kind]} ({each.kind.value})",
        field=each.field,
        then=both[0],
        now=both[1],
        policies=f"{policies[0] or 'none'} → {policies[1] or 'none'}" if any(policies) else "",
        withheld=each.withheld,
        consequence=each.consequence,
    )


def _figures(report: ReplayReport) -> tuple[Fact, ...]:
    return (
        Fact(name="Class", value=report.grade.value),
        Fact(name="Steps compared", value=str(report.calls)),
        Fact(name="Rows read", value=str(report.events)),
        Fact(name="Effects caused", value=str(report.effects)),
        Fact(name="Took", value=wording.duration(timedelta(microseconds=report.duration_us))),
    )


def _judged(each: DecisionLine) -> JudgedLine:
    title, tone = _CHANGES[each.change]
    return JudgedLine(
        seq=each.seq,
        step=each.call,
        action=each.action,
        then=_WORDS.get(each.then.value, each.then.value),
        now=_WORDS.get(each.now.value, each.now.value),
        change=title,
        tone=tone,
        policies=", ".join(each.policies_now),
        is_unknown=each.unknown_after,
    )
