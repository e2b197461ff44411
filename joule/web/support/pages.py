"""A task's timeline, its export, two runs side by side. Heads of the journal; content only where it was read on record."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from joule.database.engine import ReadSession
from joule.governance.rules import queries as rules
from joule.identity.permissions import Permission, allowed
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, TaskId
from joule.llm import queries as llm
from joule.tasks import queries as tasks
from joule.tasks.queries import TaskFacts
from joule.web import wording
from joule.web.access import Here, TimelineReader
from joule.web.chat.views import Fact
from joule.web.context import Web
from joule.web.shell import shell_of
from joule.web.support.asking import panel
from joule.web.support.comparing import compare
from joule.web.support.contents import contents, part_words
from joule.web.support.naming import name_of, names_for
from joule.web.support.searching import TONES, took
from joule.web.support.timeline import steps
from traces import reader
from traces.grants import queries as grants
from traces.grants.actions import ExportTimeline
from traces.grants.parts import Part
from traces.grants.reading import TaskContent
from traces.reader import TaskEvent

router = APIRouter(prefix="/support")


@dataclass(frozen=True, kw_only=True)
class ReadLine:
    """One read of this task's content."""

    who: str
    role: str
    at: Any
    parts: str
    is_break_glass: bool


@router.get("/tasks/{task}")
async def timeline(web: Here, person: TimelineReader, task: UUID) -> Response:
    """What a task did, without a word of what was said."""
    return await show(web, person, TaskId(task))


async def show(web: Web, person: SignedInPerson, task: TaskId, *, content: TaskContent | None = None) -> Response:
    """The timeline of a task, with what was read of its content on record."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support")
        events, facts = await events_of(session, person.org, task)
        models = await llm.calls_of_task(session, person.org, task)
        names = await names_for(web, session, person)
        access = await panel(web, session, person, task)
        reads = await grants.reads(session, person.org, task=task, limit=20)
        # What people call their own policies is theirs: the journal has numbers, and so does support.
        named = {}
        if allowed(person.role, Permission.SETTINGS):
            named = await rules.names(session, web.house.vault, person.org)
    found = steps(content.events if content else events, reasons={**web.house.reasons, **named}, models=models)
    return web.templates.page(
        "support/task.html",
        shell=shell,
        task=task,
        is_task=facts is not None,
        figures=_figures(events, facts, models, name_of(names, facts.author) if facts else ""),
        state=(facts.state.value.capitalize(), TONES.get(facts.state.value, "")) if facts else ("", ""),
        steps=found,
        said=contents(found, content.parts) if content else {},
        content=content,
        read_parts=[part_words(part) for part in Part if content and part in content.parts],
        access=access,
        reads=[
            ReadLine(
                who=name_of(names, each.reader),
                role=each.role.value,
                at=each.at,
                parts=", ".join(part_words(part).lower() for part in each.parts),
                is_break_glass=each.is_break_glass,
            )
            for each in reads
        ],
    )


@router.post("/tasks/{task}/export")
async def export(web: Here, person: TimelineReader, task: UUID) -> Response:
    """The heads of a task's record as one JSON file: no content. That it left is written down."""
    async with web.house.database.read(person.org) as session:
        events, facts = await events_of(session, person.org, TaskId(task))
    await web.house.commands.perform(ExportTimeline(principal=person.principal, task=TaskId(task)))
    told = {
        "task": str(task),
        "state": facts.state.value if facts else None,
        "code": facts.code if facts else None,
        "events": [
            {
                "seq": each.seq,
                "at": each.at.isoformat().replace("+00:00", "Z"),
                "kind": each.kind,
                "call": each.call,
                "attrs": dict(each.attrs),
            }
            for each in events
        ],
    }
    return Response(
        json.dumps(told, indent=1),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="task-{task}.json"'},
    )


@router.get("/compare")
async def comparison(web: Here, person: TimelineReader, a: str = "", b: str = "") -> Response:
    """Two runs side by side, call by call. Anything else than two tasks leads to a page that asks for them."""
    wrong, runs = "", []
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/support")
        for word in (a.strip(), b.strip()):
            try:
                runs.append((await events_of(session, person.org, TaskId(UUID(word))))[0])
            except (ValueError, NotFound):
                wrong = f"{word[:40]} is no task of this organisation." if word else wrong
    found = compare(runs[0], runs[1]) if len(runs) == 2 else None
    return web.templates.page("support/compare.html", shell=shell, a=a.strip(), b=b.strip(), found=found, wrong=wrong)


@router.get("/tasks")
async def nowhere(person: TimelineReader) -> Response:
    """The list is the page before."""
    return RedirectResponse("/support", status_code=303)


async def events_of(session: ReadSession, org: OrgId, task: TaskId) -> tuple[list[TaskEvent], TaskFacts | None]:
    """The heads of a task's rows, and what is known of the task. A command of a person has rows and no task."""
    events = await reader.events(session, None, org, task)
    try:
        return events, await tasks.facts(session, org, task)
    except NotFound:
        if not events:
            raise
        return events, None


def _figures(
    events: list[TaskEvent], facts: TaskFacts | None, models: Sequence[llm.Call], who: str
) -> tuple[Fact, ...]:
    started = next((each.attrs for each in events if each.kind == "task.started"), {})
    bundle = next((str(each.attrs["bundle"]) for each in events if "bundle" in each.attrs), "")
    calls = {each.call for each in events if each.kind == "action.intent" and str(each.call).startswith("act/")}
    failed = sum(each.outcome != "done" for each in models)
    asked = ", ".join(dict.fromkeys(each.model for each in models))
    refused = sum(each.kind == "action.refused" for each in events)
    figures = [
        ("Kind", "" if facts else "Command of a person"),
        ("Error", facts.code or "" if facts else ""),
        ("Person", who),
        ("Took", took(facts) if facts else ""),
        ("Model", asked),
        ("Model calls", f"{len(models)}{f' ({failed} failed)' if failed else ''}" if models else ""),
        ("Tokens", _tokens(models)),
        ("Cost", wording.spend(sum(each.spend_micros for each in models)) if models else ""),
        ("Tool calls", f"{len(calls)}{f', {refused} refused' if refused else ''}"),
        ("Attempts", str(facts.attempt) if facts else "1"),
        ("Kept for", facts.retention if facts else ""),
        ("Policy version", bundle[:10]),
        ("Joule version", str(started.get("code_version", "unknown"))),
        ("Rows in the record", str(len({each.seq for each in events}))),
    ]
    return tuple(Fact(name=name, value=value) for name, value in figures if value)


def _tokens(models: Sequence[llm.Call]) -> str:
    if not models:
        return ""
    return f"{sum(each.input_tokens for each in models):,} in, {sum(each.output_tokens for each in models):,} out"
