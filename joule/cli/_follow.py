"""Follows a task by its journal: the one source that the browser's stream is made from too."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from joule.kernel.ids import OrgId, TaskId

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.tasks.live import Look
    from traces.reader import TaskEvent

BETWEEN_LOOKS = 0.1  # seconds


async def events_of(house: "House", org: OrgId, task: TaskId) -> Sequence["TaskEvent"]:
    """The journal of a task, with its content where the key still lives. Raises `NotFound`."""
    from joule.tasks.live import reading

    return (await reading(house.database, house.vault, org, task)(-1)).rows


async def follow(house: "House", org: OrgId, task: TaskId) -> AsyncIterator["Look"]:
    """What is new, again and again, until the task has ended. Never ends by itself while the task waits."""
    from joule.tasks.live import reading

    read, seen = reading(house.database, house.vault, org, task), -1
    while True:
        look = await read(seen)
        if look.rows:
            seen = look.rows[-1].seq
        yield look
        if look.state.is_ended:
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
