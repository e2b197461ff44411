"""Find tasks: by id, or by who, when, how they ended and what a step of theirs did. No key is opened here."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.ids import PersonId, TaskId
from joule.kernel.principal import Role
from joule.tasks import finding
from joule.tasks.finding import Sought
from joule.tasks.queries import TaskFacts
from joule.tasks.state import State
from joule.web import wording
from joule.web.access import Here, TimelineReader
from joule.web.shell import shell_of
from joule.web.support.asking import lines_of
from joule.web.support.naming import name_of, names_for
from traces import reader

router = APIRouter(prefix="/support")

TONES = {"done": "ok", "failed": "no", "waiting": "ask"}
_MANY = 30  # tasks on one page
_STEPS_OF = timedelta(days=90)  # steps are looked through this far back, unless days are chosen


class Asked(BaseModel, frozen=True):
    """The filters as they were typed, so that a mistake costs no retyping."""

    task: str = ""
    person: str = ""
    state: str = ""
    tool: str = ""
    action: str = ""
    decision: str = ""
    code: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_open(self) -> bool:
        """Whether anything but an id is asked for."""
        return any(value for name, value in self.model_dump().items() if name != "task")


@dataclass(frozen=True, kw_only=True)
class TaskLine:
    """One task in the list."""

    id: UUID
    at: datetime
    took: str
    who: str
    state: str
    tone: str
    code: str


@router.get("")
async def page(web: Here, person: TimelineReader, asked: Annotated[Asked, Query()], before: str = "") -> Response:
    """Opens a task by its id; else the tasks that are as asked, the newest first."""
    wrong, found = "", finding.Found(tasks=(), next=None)
    async with web.house.database.read(person.org) as session:
        if asked.task.strip():
            task = _id(asked.task)
            if task is not None and await _exists(session, person, task):
                return RedirectResponse(f"/support/tasks/{task}", status_code=303)
            wrong = (
                "This is not a task id. An id looks like 0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f."
                if task is None
                else "There is no task with this id in this organisation."
            )
        shell = await shell_of(web, session, person, at="/support")
        names = await names_for(web, session, person)
        try:
            last = _id(before)
            found = await finding.find(
                session,
                person.org,
                _sought(asked, web.house.clock.now()),
                before=TaskId(last) if last else None,
                limit=_MANY,
            )
        except ValueError as problem:
            wrong = str(problem)
        requests = await lines_of(web, session, person, mine=True) if person.role is Role.SUPPORT else ()
    return web.templates.page(
        "support/page.html",
        shell=shell,
        tasks=[_line(each, name_of(names, each.author)) for each in found.tasks],
        asked=asked,
        wrong=wrong,
        states=[each.value for each in State],
        people=sorted(names.items(), key=lambda each: each[1]) if len(names) > 1 else (),
        next=f"/support?{_with(asked, before=str(found.next))}" if found.next else "",
        requests=requests,
        tools=sorted(wording.TOOLS),
    )


def took(facts: TaskFacts) -> str:
    """How long a task took; empty while it has not ended."""
    if facts.ended_at is None:
        return ""
    return wording.duration(facts.ended_at - (facts.started_at or facts.created_at))


async def _exists(session: ReadSession, person: SignedInPerson, task: UUID) -> bool:
    if await reader.chain_of(session, person.org, TaskId(task)) is not None:
        return True
    return bool((await finding.find(session, person.org, Sought(only=TaskId(task)), limit=1)).tasks)


def _sought(asked: Asked, now: datetime) -> Sought:
    """Raises `ValueError`, in words for the person, for a filter that cannot be used."""
    state = asked.state if asked.state in {each.value for each in State} else ""
    of_a_step = any(each.strip() for each in (asked.tool, asked.action, asked.decision, asked.code))
    return Sought(
        since=day(asked.since) or (now - _STEPS_OF if of_a_step else None),
        until=day(asked.until, after=True),
        author=_author(asked.person),
        state=State(state) if state else None,
        code=asked.code.strip(),
        action=asked.action.strip(),
        decision=asked.decision if asked.decision in {"allow", "ask", "deny"} else "",
        tool=asked.tool.strip(),
    )


def day(word: str, *, after: bool = False) -> datetime | None:
    """A day as its beginning, UTC, or as its end. Raises `ValueError`, in words for the person."""
    if not word.strip():
        return None
    try:
        found = datetime.combine(date.fromisoformat(word.strip()), time(), tzinfo=UTC)
        return found + timedelta(days=1) if after else found
    except (ValueError, OverflowError):
        raise ValueError("A day looks like 2026-11-22.") from None


def _author(word: str) -> PersonId | None:
    if not word.strip():
        return None
    found = _id(word)
    if found is None:
        raise ValueError("This is not a person's id.")
    return PersonId(found)


def _id(word: str) -> UUID | None:
    try:
        return UUID(word.strip()) if word.strip() else None
    except ValueError:
        return None


def _with(asked: Asked, **more: str) -> str:
    return urlencode({name: value for name, value in {**asked.model_dump(), **more}.items() if value})


def _line(each: TaskFacts, who: str) -> TaskLine:
    return TaskLine(
        id=each.task,
        at=each.created_at,
        took=took(each),
        who=who,
        state=each.state.value.capitalize(),
        tone=TONES.get(each.state.value, ""),
        code=each.code or "",
    )
