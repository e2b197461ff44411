"""Finds tasks by what stands in clear: who, when, how they ended, which step did what. No key is opened here.

A step is one row of the task's journal; what is asked of a step must hold of one and the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import col, select

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.tasks.queries import TaskFacts, facts_of
from joule.tasks.state import State
from joule.tasks.tables import TaskRow

_STEP = """EXISTS (
  SELECT FROM trace_chain c JOIN trace_event e
    ON e.org_id = c.org_id AND e.task_id = c.task_id AND e.retention = c.retention AND e.at >= c.started_at
  WHERE c.org_id = task.org_id AND c.task_id = task.id AND {step})"""
_OF_A_STEP = {
    "action": "e.action = :action",
    "decision": "e.decision = :decision",
    "tool": "convert_from(e.head, 'UTF8')::jsonb #>> '{attrs,tool}' = :tool",
}
_CODE = "convert_from(e.head, 'UTF8')::jsonb #>> '{attrs,code}' = :code"


@dataclass(frozen=True, kw_only=True)
class Sought:
    """Which tasks; what is left out or empty is not asked for. `code` is that of the task's end or of any step's."""

    only: TaskId | None = None
    since: datetime | None = None
    until: datetime | None = None
    author: PersonId | None = None
    state: State | None = None
    code: str = ""
    action: str = ""
    decision: str = ""  # allow, ask or deny
    tool: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Some tasks, newest first. `next` is where the following page begins; None at the end."""

    tasks: tuple[TaskFacts, ...]
    next: TaskId | None


async def find(
    session: ReadSession, org: OrgId, sought: Sought, *, before: TaskId | None = None, limit: int = 30
) -> Found:
    """One page of the tasks that are as `sought`."""
    chosen = select(TaskRow).where(col(TaskRow.org_id) == org)
    if sought.only is not None:
        chosen = chosen.where(col(TaskRow.id) == sought.only)
    if before is not None:
        chosen = chosen.where(col(TaskRow.id) < before)
    if sought.since is not None:
        chosen = chosen.where(col(TaskRow.created_at) >= sought.since)
    if sought.until is not None:
        chosen = chosen.where(col(TaskRow.created_at) < sought.until)
    if sought.author is not None:
        chosen = chosen.where(col(TaskRow.author) == sought.author)
    if sought.state is not None:
        chosen = chosen.where(col(TaskRow.state) == sought.state.value)
    asked = {name: value for name in _OF_A_STEP if (value := getattr(sought, name))}
    if asked:
        of_a_step = _STEP.format(step=" AND ".join(_OF_A_STEP[name] for name in asked))
        chosen = chosen.where(text(of_a_step).bindparams(**asked))
    if sought.code:
        chosen = chosen.where(text(f"(task.code = :code OR {_STEP.format(step=_CODE)})").bindparams(code=sought.code))
    chosen = chosen.order_by(col(TaskRow.id).desc()).limit(limit + 1)
    rows: Sequence[TaskRow] = (await session.execute(chosen)).scalars().all()
    shown = tuple(facts_of(row) for row in rows[:limit])
    return Found(tasks=shown, next=shown[-1].task if len(rows) > limit else None)
