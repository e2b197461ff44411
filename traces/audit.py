"""What an organisation's audit page may read of the journal: the commands people gave, without any content."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId

_NEWEST = text(
    "SELECT e.task_id, e.at, e.kind, e.head FROM trace_event e JOIN ("
    "  SELECT task_id, retention, started_at FROM trace_chain"
    "  WHERE org_id = :org AND key_subject LIKE 'day:%' AND started_at >= :since ORDER BY started_at DESC LIMIT :limit"
    ") c ON e.task_id = c.task_id AND e.retention = c.retention AND e.at >= c.started_at "
    "WHERE e.org_id = :org AND e.at >= :since ORDER BY e.task_id DESC, e.seq"
)
_ENDS = {
    "action.result": "done",
    "action.performed": "done",
    "action.failed": "failed",
    "action.refused": "refused",
}


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """One command: who, what, what the gate decided, how it ended."""

    task: UUID
    at: datetime
    person: UUID | None
    action: str
    decision: str
    policies: tuple[str, ...]
    outcome: str  # done, failed, refused or unknown


async def commands(session: ReadSession, org: OrgId, *, since: datetime, limit: int = 200) -> list[CommandLine]:
    """The newest commands, newest first."""
    found: dict[UUID, dict[str, Any]] = {}
    for row in (await session.execute(_NEWEST, {"org": org, "since": since, "limit": limit})).all():
        attrs = json.loads(bytes(row.head))["attrs"]
        line = found.setdefault(row.task_id, {"at": row.at, "outcome": "unknown"})
        line.update({name: attrs[name] for name in ("person", "action", "decision", "policies") if name in attrs})
        line["outcome"] = _ENDS.get(row.kind, line["outcome"])
    return [
        CommandLine(
            task=task,
            at=line["at"],
            person=UUID(line["person"]) if "person" in line else None,
            action=line.get("action", ""),
            decision=line.get("decision", ""),
            policies=tuple(line.get("policies", ())),
            outcome=line["outcome"],
        )
        for task, line in found.items()
    ]
