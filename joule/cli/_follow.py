"""Follows a task by its journal: the one source that the browser's stream is made from too."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joule.kernel.ids import OrgId, TaskId

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.tasks.queries import TaskFacts
    from traces.reader import TaskEvent

BETWEEN_LOOKS = 0.1  # seconds


@dataclass(frozen=True, kw_only=True)
class News:
    """What has happened since the last look, and where the task stands now."""

    events: tuple["TaskEvent", ...]
    facts: "TaskFacts"


async def events_of(house: "House", org: OrgId, task: TaskId, *, after: int = -1) -> list["TaskEvent"]:
    """The journal of a task after `after`, with its content where the key still lives."""
    from joule.vault.errors import NoKey, Shredded
    from traces import reader

    async with house.database.read(org) as session:
        try:
            keyring = await house.vault.keyring(session, org, f"task:{task}")
        except (NoKey, Shredded):
            keyring = None
        return await reader.events(session, keyring, org, task, after=after)


async def follow(house: "House", org: OrgId, task: TaskId) -> AsyncIterator[News]:
    """Looks until the task has ended; the last news says how. Never ends by itself while the task waits."""
    from joule.tasks import queries

    seen = -1
    while True:
        # The state is read before the rows: a task that has ended writes no more of them.
        async with house.database.read(org) as session:
            facts = await queries.facts(session, org, task)
        events = await events_of(house, org, task, after=seen)
        if events:
            seen = events[-1].seq
        yield News(events=tuple(events), facts=facts)
        if facts.state.is_ended:
            return
        await asyncio.sleep(BETWEEN_LOOKS)


def words_of(event: "TaskEvent") -> str | None:
    """One line about a step, for people; None for rows that are no news to them."""
    name = str(event.attrs.get("tool") or event.attrs.get("action") or "")
    match event.kind:
        case "action.intent" if _is_step(event):
            return f"· {name}{_arguments(event.content.get('args'))}: allowed ({_policies(event)})"
        case "action.refused" if _is_step(event):
            return f"· {name}{_arguments(event.content.get('args'))}: refused. {_why(event.content.get('why'))}"
        case "action.failed" if _is_step(event):
            return f"· {name}: failed. {_why(event.content.get('error'))}"
        case "approval.asked":
            return f"· {name}{_arguments(event.content.get('args'))}: asks you first. {_why(event.content.get('why'))}"
        case "approval.given" | "approval.declined":
            return f"· {event.kind.removeprefix('approval.')} by a person"
        case "task.resumed":
            return "· resumed"
    return None


def _is_step(event: "TaskEvent") -> bool:
    """Whether it is the agent's own doing, and not the model's turn or the gathering of context."""
    return event.call is not None and event.call.startswith("act/")


def _policies(event: "TaskEvent") -> str:
    return ", ".join(event.attrs.get("policies") or ()) or "by default"


def _arguments(given: Any) -> str:
    if not isinstance(given, Mapping):
        return ""
    said = ", ".join(f"{name}={_short(value)}" for name, value in given.items() if name != "project" and value)
    return f" ({said})" if said else ""


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"length"}:
        return f"{value['length']} characters"
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def _why(given: Any) -> str:
    if not isinstance(given, Mapping):
        return ""
    return " ".join(str(given[part]) for part in ("reason", "message", "advice") if given.get(part))
