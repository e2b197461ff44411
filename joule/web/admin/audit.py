"""The audit log: what people did by hand and Joule's upkeep did by itself, as the journal holds it."""

import csv
import io
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import Invalid
from joule.web.access import Here, SettingsReader
from joule.web.admin.audit_words import BY_WORD, GROUPS, group_of, safe_cell, words_of
from joule.web.context import Web
from joule.web.shell import shell_of
from joule.web.support.searching import day
from traces import audit
from traces.audit import CommandLine, Hand, Outcome, Place, Wanted
from traces.grants import queries as grants
from traces.grants.actions import ExportAudit

router = APIRouter(prefix="/admin")

SHOWN = timedelta(days=30)  # unless other days are asked for
MOST_EXPORTED = 100_000  # commands in one file
_MANY = 50  # commands on one page
_TONES = {"allow": "ok", "ask": "ask", "deny": "no"}
_DECISIONS = {"allow": "Allowed", "ask": "Asked", "deny": "Refused"}
_HEADS = (
    "at",
    "person",
    "name",
    "role",
    "action",
    "decision",
    "outcome",
    "code",
    "policies",
    "about_task",
    "access",
    "parts",
    "task",
)


class Asked(BaseModel, frozen=True):
    """The filters as they were chosen."""

    group: str = ""
    person: str = ""
    hand: str = "people"
    decision: str = ""
    outcome: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One command as the page shows it."""

    at: datetime
    who: str
    what: str
    action: str
    group: str
    href: str
    about: str
    is_alarm: bool
    decision: str
    tone: str
    outcome: str
    policies: str


@router.get("/audit")
async def page(web: Here, person: SettingsReader, asked: Annotated[Asked, Query()], after: str = "") -> Response:
    """One page of the log."""
    wrong, found = "", audit.AuditPage(lines=())
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/audit")
        names = await _names(web, session, person)
        broken = await _broken(web, session, person)
        try:
            wanted = _wanted(asked, web.house.clock.now())
            found = await audit.commands(session, person.org, wanted, after=_place(after), limit=_MANY)
        except ValueError as problem:
            wrong = str(problem)
    return web.templates.page(
        "admin/audit.html",
        shell=shell,
        rows=[_line(each, names, broken) for each in found.lines],
        asked=asked,
        wrong=wrong,
        groups=[(each.word, each.title) for each in GROUPS],
        people=sorted(names.items(), key=lambda each: each[1]),
        outcomes=[each.value for each in Outcome if each is not Outcome.UNKNOWN],
        next=f"/admin/audit?{_with(asked, found.next)}" if found.next else "",
    )


@router.post("/audit/export")
async def export(
    web: Here, person: SettingsReader, asked: Annotated[Asked, Form()], kind: Annotated[str, Form(alias="as")] = "csv"
) -> Response:
    """All that is asked for as one file, CSV or JSON lines. That it left is written down first."""
    try:
        wanted = _wanted(asked, web.house.clock.now())
    except ValueError as problem:
        raise Invalid(str(problem), advice="Correct the filter and export again.") from problem
    started = await web.house.commands.perform(ExportAudit(principal=person.principal))
    is_csv = kind != "json"
    name = f"audit-{started.at:%Y-%m-%d}.{'csv' if is_csv else 'jsonl'}"
    return StreamingResponse(
        _exported(web, person, wanted, is_csv=is_csv),
        media_type="text/csv; charset=utf-8" if is_csv else "application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _exported(web: Web, person: SignedInPerson, wanted: Wanted, *, is_csv: bool) -> AsyncIterator[str]:
    if is_csv:
        yield _csv(_HEADS)
    async with web.house.database.read(person.org) as session:
        names = await _names(web, session, person)
        async for line in audit.whole(session, person.org, wanted, most=MOST_EXPORTED):
            told = _told(line, names)
            yield _csv(safe_cell(told[head]) for head in _HEADS) if is_csv else json.dumps(told) + "\n"


def _told(line: CommandLine, names: Mapping[UUID, str]) -> dict[str, str]:
    """One command as a file tells it: text only."""
    return {
        "at": line.at.isoformat().replace("+00:00", "Z"),
        "person": str(line.person or ""),
        "name": names.get(line.person, "") if line.person else "",
        "role": line.role,
        "action": line.action,
        "decision": line.decision,
        "outcome": line.outcome.value,
        "code": line.code,
        "policies": " ".join(line.policies),
        "about_task": str(line.about_task or ""),
        "access": str(line.access or ""),
        "parts": line.parts,
        "task": str(line.task),
    }


def _csv(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(list(cells))
    return text.getvalue()


def _wanted(asked: Asked, now: datetime) -> Wanted:
    """Raises `ValueError`, in words for the person, for a filter that cannot be used."""
    since, until = day(asked.since), day(asked.until, after=True)
    until = until or now + timedelta(minutes=5)  # clocks of several machines differ a little
    group = BY_WORD.get(asked.group)
    try:
        person = UUID(asked.person) if asked.person else None
    except ValueError:
        raise ValueError("This is not a person's id.") from None
    return Wanted(
        since=since or until - SHOWN,
        until=until,
        actions=group.actions if group else (),
        person=person,
        hand=Hand(asked.hand) if asked.hand in set(Hand) else None,
        decision=asked.decision if asked.decision in _DECISIONS else "",
        outcome=Outcome(asked.outcome) if asked.outcome in set(Outcome) else None,
    )


def _place(word: str) -> Place | None:
    """Where a page ended, as its link says it. Raises `ValueError` for what no link of ours says."""
    if not word:
        return None
    try:
        at, task = word.split("_")
        return Place(at=datetime.fromisoformat(at), task=UUID(task))
    except ValueError:
        raise ValueError("This page cannot be found; begin again from the first.") from None


def _with(asked: Asked, after: Place) -> str:
    chosen = {name: value for name, value in asked.model_dump().items() if value or name == "hand"}
    return urlencode({**chosen, "after": f"{after.at.isoformat()}_{after.task}"})


async def _names(web: Web, session: ReadSession, person: SignedInPerson) -> Mapping[UUID, str]:
    return {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}


async def _broken(web: Web, session: ReadSession, person: SignedInPerson) -> Collection[UUID]:
    """The break-glasses there were: what was done under them is an alarm."""
    found = await grants.break_glasses(session, person.org)
    return set(found)


def _line(each: CommandLine, names: Mapping[UUID, str], broken: Collection[UUID]) -> Line:
    group = group_of(each.action)
    is_alarm = each.action.endswith("break_glass") or each.access in broken
    who = names.get(each.person, "Somebody") if each.person else ""
    about = f"Task {each.about_task}" if each.about_task else ""
    return Line(
        at=each.at,
        who=who or ("Joule itself" if each.role == "system" else "Not signed in"),
        what=words_of(each.action),
        action=each.action,
        group=group.title if group else "Other",
        href=f"/support/tasks/{each.task}",
        about=f"{about} ({each.parts.replace('+', ', ')})" if each.parts else about,
        is_alarm=is_alarm,
        decision=_DECISIONS.get(each.decision, each.decision),
        tone=_TONES.get(each.decision, ""),
        outcome=f"{each.outcome.value.capitalize()}{f' ({each.code})' if each.code else ''}",
        policies=", ".join(each.policies),
    )
