"""What an organisation's audit log may read of the journal: the commands of people and of upkeep, without any content.

A command is one call named `command` in a journal of its own. Filters look at what stands in clear alone.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId

PAGE = 200  # commands in one statement of an export

# What stands beside the head in the row comes first: the head is parsed for what is left alone.
_FOUND = text(
    "SELECT e.task_id, e.at FROM trace_event e "
    "WHERE e.org_id = :org AND e.call = 'command' AND e.at >= :since AND e.at < :until "
    "AND e.kind IN ('action.intent', 'action.performed', 'action.refused', 'approval.asked') "
    "AND (:anything OR e.action LIKE ANY (CAST(:patterns AS text[]))) "
    "AND (:decision = '' OR e.decision = :decision) "
    "AND (e.at, e.task_id) < (:before_at, CAST(:before_task AS uuid)) "
    "AND (:hand = '' OR (:hand = 'system') = "
    "     (convert_from(e.head, 'UTF8')::jsonb #>> '{attrs,facts,via}' IS NOT DISTINCT FROM 'system')) "
    "AND (CAST(:person AS uuid) IS NULL OR EXISTS ("
    "  SELECT FROM trace_event s WHERE s.org_id = e.org_id AND s.task_id = e.task_id AND s.seq = 0 "
    "  AND s.retention = e.retention AND s.at <= e.at AND s.at > e.at - interval '1 hour' "
    "  AND convert_from(s.head, 'UTF8')::jsonb #>> '{attrs,person}' = CAST(:person AS text))) "
    "AND (:outcome = '' OR (:outcome = 'refused') = (e.kind = 'action.refused') AND (:outcome = 'failed') = EXISTS ("
    "  SELECT FROM trace_event f WHERE f.org_id = e.org_id AND f.task_id = e.task_id AND f.kind = 'action.failed' "
    "  AND f.retention = e.retention AND f.at >= e.at AND f.at < e.at + interval '1 day')) "
    "ORDER BY e.at DESC, e.task_id DESC LIMIT :limit"
)
_ROWS = text(
    "SELECT task_id, at, kind, head FROM trace_event WHERE org_id = :org AND task_id = ANY (:tasks) "
    "AND at >= :first AND at < :last ORDER BY task_id, seq"
)
_AROUND = timedelta(days=1)  # no command takes longer
_LAST = UUID(int=2**128 - 1)


class Hand(StrEnum):
    """Whose hand a command was."""

    PEOPLE = "people"
    SYSTEM = "system"  # Joule's own upkeep


class Outcome(StrEnum):
    """How a command ended. Unknown: its end was never seen."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


_ENDS = {
    "action.result": Outcome.DONE,
    "action.performed": Outcome.DONE,
    "action.failed": Outcome.FAILED,
    "action.refused": Outcome.REFUSED,
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which commands: from `since` until before `until`, the others as far as they are given.

    `actions` are names of actions, with % for whatever else follows; none of them: all.
    """

    since: datetime
    until: datetime
    actions: tuple[str, ...] = ()
    person: UUID | None = None
    hand: Hand | None = None
    decision: str = ""  # allow, ask or deny
    outcome: Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page of the log ended: the next one begins after it."""

    at: datetime
    task: UUID


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """One command: who, what, what the gate decided, how it ended."""

    task: UUID
    at: datetime
    person: UUID | None
    role: str
    action: str
    decision: str
    policies: tuple[str, ...]
    outcome: Outcome
    code: str  # of a failure
    about_task: UUID | None  # the task whose content was asked for, granted or read
    access: UUID | None
    parts: str
    duration_us: int | None = None

    @property
    def place(self) -> Place:
        """Where this command stands in the log."""
        return Place(at=self.at, task=self.task)


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """Some commands, newest first, and where the next page begins; None at the end."""

    lines: tuple[CommandLine, ...]
    next: Place | None = field(default=None)


async def commands(
    session: ReadSession, org: OrgId, wanted: Wanted, *, after: Place | None = None, limit: int = 50
) -> AuditPage:
    """One page of the log."""
    given: Mapping[str, Any] = {
        "org": org,
        "since": wanted.since,
        "until": wanted.until,
        "anything": not wanted.actions,
        "patterns": [pattern.replace("_", r"\_") for pattern in wanted.actions],
        "decision": wanted.decision,
        "hand": wanted.hand.value if wanted.hand else "",
        "person": wanted.person,
        "outcome": wanted.outcome.value if wanted.outcome else "",
        "before_at": after.at if after else wanted.until,
        "before_task": after.task if after else _LAST,
        "limit": limit + 1,
    }
    found = (await session.execute(_FOUND, given)).all()
    lines = await _lines(session, org, [(row.task_id, row.at) for row in found[:limit]])
    return AuditPage(lines=lines, next=lines[-1].place if len(found) > limit else None)


async def whole(session: ReadSession, org: OrgId, wanted: Wanted, *, most: int) -> AsyncIterator[CommandLine]:
    """All of it, newest first, a page at a time; at most `most` commands."""
    after: Place | None = None
    while most > 0:
        page = await commands(session, org, wanted, after=after, limit=min(PAGE, most))
        for line in page.lines:
            yield line
        most -= len(page.lines)
        after = page.next
        if after is None:
            return


async def _lines(session: ReadSession, org: OrgId, found: Sequence[tuple[UUID, datetime]]) -> tuple[CommandLine, ...]:
    if not found:
        return ()
    bounds = {"first": found[-1][1] - _AROUND, "last": found[0][1] + _AROUND}
    rows = await session.execute(_ROWS, {"org": org, "tasks": [task for task, _ in found], **bounds})
    lines = {task: _nothing_yet(task, at) for task, at in found}
    for row in rows.all():
        lines[row.task_id] = _with(lines[row.task_id], row.kind, json.loads(bytes(row.head))["attrs"])
    return tuple(lines.values())


def _nothing_yet(task: UUID, at: datetime) -> CommandLine:
    return CommandLine(
        task=task,
        at=at,
        person=None,
        role="",
        action="",
        decision="",
        policies=(),
        outcome=Outcome.UNKNOWN,
        code="",
        about_task=None,
        access=None,
        parts="",
    )


def _with(line: CommandLine, kind: str, attrs: Mapping[str, Any]) -> CommandLine:
    """What is known of a command after one more of its rows."""
    told: dict[str, Any] = {name: attrs[name] for name in ("action", "decision", "code", "parts") if name in attrs}
    told |= {name: UUID(attrs[name]) for name in ("person", "about_task", "access") if name in attrs}
    if "policies" in attrs:
        told["policies"] = tuple(attrs["policies"])
    if "facts" in attrs:
        told["role"] = str(attrs["facts"].get("role", ""))
    if "duration_us" in attrs:
        told["duration_us"] = int(attrs["duration_us"])
    if kind in _ENDS:
        told["outcome"] = _ENDS[kind]
    return replace(line, **told)
