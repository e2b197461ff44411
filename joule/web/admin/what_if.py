"""What-ifs over days: asked, shown while they are at work, and what they found."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from joule.governance.rules import queries as rules
from joule.replay import queries
from joule.replay.actions import BeginWhatIf, GoOnWithWhatIf
from joule.replay.judging import Change, Word
from joule.replay.queries import Line, WhatIfView
from joule.web.access import Here, SettingsReader
from joule.web.chat.views import Fact
from joule.web.shell import shell_of

router = APIRouter(prefix="/admin/policy/what-if")

SPANS = ((1, "Last day"), (7, "Last 7 days"), (30, "Last 30 days"), (90, "Last 90 days"), (365, "Last year"))
_CHANGES = {
    Change.DENIED: ("Would be refused", "no"),
    Change.ASKED: ("A person would be asked", "ask"),
    Change.ALLOWED: ("Would be allowed", "ok"),
    Change.UNDECIDABLE: ("Cannot be decided", ""),
    Change.UNCHANGED: ("Unchanged", ""),
}
_THEN = {Word.ALLOW: "was allowed", Word.ASK: "a person was asked", Word.DENY: "was refused"}


@dataclass(frozen=True, kw_only=True)
class WhatIfLine:
    """One what-if in the list."""

    href: str
    title: str
    found: str
    tone: str
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ExampleLink:
    """One decision, where it can be looked at."""

    href: str
    title: str


@dataclass(frozen=True, kw_only=True)
class ChangeLine:
    """Decisions about one action that would become something else."""

    action: str
    then: str
    now: str
    tone: str
    times: str
    policies: str
    examples: tuple[ExampleLink, ...]


@dataclass(frozen=True, kw_only=True)
class WhatIfPage:
    """One what-if."""

    href: str
    title: str
    since: datetime
    until: datetime
    expires_at: datetime
    done: bool
    percent: int
    decisions: str
    figures: tuple[Fact, ...]
    lines: tuple[ChangeLine, ...]
    unchanged: tuple[Fact, ...]


@router.post("")
async def begin(
    web: Here, person: SettingsReader, days: Annotated[int, Form()], version: Annotated[str, Form()] = ""
) -> Response:
    """Begins a what-if over the last days: of one version, or of what is in force."""
    begun = await web.house.commands.perform(
        BeginWhatIf(principal=person.principal, days=days, version=UUID(version) if version else None)
    )
    return RedirectResponse(f"/admin/policy/what-if/{begun.what_if}", status_code=303)


@router.get("/{what_if}")
async def page(web: Here, person: SettingsReader, what_if: UUID) -> Response:
    """How far it has come, and what it has found."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/policy")
        found = await queries.what_if(session, person.org, what_if)
        names = await rules.names(session, web.house.vault, person.org)
    return web.templates.page("admin/what_if.html", shell=shell, page=_page(found, names))


@router.post("/{what_if}/go-on")
async def go_on(web: Here, request: Request, person: SettingsReader, what_if: UUID) -> Response:
    """Judges the next piece; a page that is open asks for piece after piece by itself."""
    told = await web.house.commands.perform(GoOnWithWhatIf(principal=person.principal, what_if=what_if))
    here = f"/admin/policy/what-if/{what_if}"
    if "hx-request" not in request.headers:
        return RedirectResponse(here, status_code=303)
    if told.done:
        return Response(headers={"HX-Redirect": here})
    async with web.house.database.read(person.org) as session:
        found = await queries.what_if(session, person.org, what_if)
    return web.templates.page("admin/_what_if_progress.html", page=_page(found, {}))


def line_of(each: WhatIfView, names: dict[UUID, str]) -> WhatIfLine:
    """One what-if for a list. `names` are those of people."""
    changed = each.decisions - each.count(Change.UNCHANGED)
    return WhatIfLine(
        href=f"/admin/policy/what-if/{each.what_if}",
        title=f"{_asked(each)}, {_days(each)}",
        found=f"{changed:,} of {each.decisions:,} would change" if each.done else f"{each.percent} % judged",
        tone="ask" if changed or not each.done else "ok",
        by=names.get(each.asked_by, "somebody") if each.asked_by else "Joule",
        at=each.asked_at,
    )


def _page(found: WhatIfView, names: dict[str, str]) -> WhatIfPage:
    counted = [(title, f"{found.count(change):,}") for change, (title, _) in _CHANGES.items()]
    return WhatIfPage(
        href=f"/admin/policy/what-if/{found.what_if}",
        title=_asked(found),
        since=found.since,
        until=found.until,
        expires_at=found.expires_at,
        done=found.done,
        percent=found.percent,
        decisions=f"{found.decisions:,}",
        figures=(
            Fact(name="Decisions", value=f"{found.decisions:,}"),
            *(Fact(name=name, value=value) for name, value in counted),
        ),
        lines=tuple(_line(each, names) for each in found.changed),
        unchanged=tuple(
            Fact(name=each.action, value=f"{each.times:,} {_THEN[each.then]}")
            for each in found.lines
            if each.change is Change.UNCHANGED
        ),
    )


def _line(each: Line, names: dict[str, str]) -> ChangeLine:
    now, tone = _CHANGES[each.change]
    policies = {policy for example in each.examples for policy in example.policies}
    return ChangeLine(
        action=each.action,
        then=_THEN[each.then].capitalize(),
        now=now,
        tone=tone,
        times=f"{each.times:,}",
        policies=", ".join(sorted(names.get(policy, policy) for policy in policies)),
        examples=tuple(
            ExampleLink(href=f"/support/tasks/{example.task}#seq-{example.seq}", title=f"task …{example.task.hex[-6:]}")
            for example in each.examples
        ),
    )


def _asked(each: WhatIfView) -> str:
    if each.version is not None:
        return f"Version {each.number}"
    return f"What is in force (version {each.number})" if each.number else "What is in force"


def _days(each: WhatIfView) -> str:
    days = (each.until - each.since).days
    return "last day" if days == 1 else f"last {days} days"
