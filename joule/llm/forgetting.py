"""Ends the log of model calls: with the task it belongs to, and with the retention the organisation chose."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, text

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId, TaskId

_OLD = text(
    "DELETE FROM llm_call WHERE org_id = :org AND id = ANY (ARRAY("
    "SELECT id FROM llm_call WHERE org_id = :org AND at < :before AND task_id <> ALL(:but) ORDER BY at LIMIT :many))"
)
_OF_TASKS = text("DELETE FROM llm_call WHERE org_id = :org AND task_id = ANY(:tasks)")


async def forget_older(
    session: WriteSession, org: OrgId, *, before: datetime, many: int, but: Sequence[TaskId] = ()
) -> int:
    """Delete at most `many` calls made before a time, but those of the tasks `but`; how many."""
    given = {"org": org, "before": before, "many": many, "but": list(but)}
    return cast(CursorResult[Any], await session.execute(_OLD, given)).rowcount


async def forget_tasks(session: WriteSession, org: OrgId, tasks: Sequence[TaskId]) -> int:
    """Delete the calls of these tasks; how many."""
    found = await session.execute(_OF_TASKS, {"org": org, "tasks": list(tasks)})
    return cast(CursorResult[Any], found).rowcount
