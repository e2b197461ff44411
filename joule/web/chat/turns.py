"""Builds turns from what is recorded of their tasks."""

from collections.abc import Mapping

from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import LimitReached
from joule.kernel.ids import PersonId
from joule.kernel.label import Label
from joule.tasks.queries import TaskFacts, TaskView
from joule.web import wording
from joule.web.chat.citations import documents_of
from joule.web.chat.telling import Telling
from joule.web.chat.views import Attempts, Ending, Stand, Turn
from joule.web.chat.watching import events_so_far
from joule.web.context import Web
from joule.web.errors import sentence

_FAILURES: Mapping[str, tuple[str, str]] = {
    LimitReached.code: (
        "The task reached one of its limits.",
        "Ask for a smaller piece of the work, or have an admin raise the limit in the settings.",
    ),
    "traces.journal_down": (
        "Nothing could be written down, so nothing more was done.",
        "An operator should check the database's disk; then try again.",
    ),
}
_FAILED = ("The task ended with an error.", "Try again; if it happens once more, give support the task id below.")


async def turn_of(
    web: Web,
    session: ReadSession,
    person: SignedInPerson,
    view: TaskView,
    names: Mapping[PersonId, str],
    *,
    fresh: bool = False,
    earlier: Label | None = None,
) -> Turn:
    """One turn as it stands now. A fresh one is shown without its events: the stream tells them all, from the first.

    `earlier` is the label of the answer before it.
    """
    telling = telling_of(web, view.facts, earlier)
    sent = [] if fresh else await events_so_far(web, session, person.org, view.facts)
    telling.take_all(each.event for each in sent)
    stand = Stand.QUEUED if fresh else Stand(view.facts.state.value)
    if not stand.is_over and telling.stand is Stand.WAITING:
        stand = Stand.WAITING
    return Turn(
        task=view.facts.task,
        asked=view.request,
        author=names.get(view.facts.author, "Somebody"),
        at=view.facts.created_at,
        stand=stand,
        parts=telling.parts(),
        ending=ending_of(telling, view.facts) if stand.is_over else None,
        attempts=_attempts(view),
        cursor=str(sent[-1].id) if sent else "",
        may_edit=True,
        stop_requested=view.facts.stop_requested_at is not None,
    )


def telling_of(web: Web, facts: TaskFacts, earlier: Label | None) -> Telling:
    """A telling that has heard nothing yet. `earlier` is the label of the answer before it."""
    return Telling(
        task=facts.task,
        project=facts.project,
        thread=facts.thread,
        renderer=web.markdown,
        reasons=web.house.reasons,
        earlier=documents_of(earlier) if earlier is not None else (),
    )


def tail_of(telling: Telling, facts: TaskFacts, stand: Stand) -> Turn:
    """What the end of a turn shows while it is told: no words of the person are needed for it."""
    return Turn(
        task=facts.task,
        asked=None,
        author="",
        at=facts.created_at,
        stand=stand,
        parts=telling.parts(),
        ending=ending_of(telling, facts) if stand.is_over else None,
        attempts=None,
        cursor="",
        may_edit=False,
        stop_requested=facts.stop_requested_at is not None,
    )


def ending_of(telling: Telling, facts: TaskFacts) -> Ending:
    """How a turn ended, in words."""
    stand = Stand(facts.state.value)
    message, advice, code = "", "", facts.code or ""
    if stand is Stand.STOPPED:
        message, advice = "This answer was stopped.", "What was done until then stays as it is."
    elif stand is Stand.FAILED:
        message, advice = _FAILURES.get(code, _FAILED)
        if telling.error.get("advice"):
            message, advice = sentence(str(telling.error["message"])), str(telling.error["advice"])
    took = telling.took
    return Ending(
        stand=stand,
        message=message,
        advice=advice,
        code=code,
        took=wording.duration(took) if took is not None else "",
        may_retry=True,
    )


def _attempts(view: TaskView) -> Attempts | None:
    tasks = view.alternatives
    if len(tasks) < 2:
        return None
    place = tasks.index(view.facts.task)
    base = f"/projects/{view.facts.project}/threads/{view.facts.thread}?task="

    def link(at: int) -> str | None:
        return f"{base}{tasks[at]}" if 0 <= at < len(tasks) else None

    return Attempts(place=place + 1, total=len(tasks), before=link(place - 1), after=link(place + 1))
