"""Goes through the decisions of a span of time, a bounded piece at a time, and counts what would become of them.

The database groups them by the facts they were made from, of which there are few, so neither memory nor the judging
grows with their number. No content is read and no key is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.governance.policy import Policy
from joule.kernel.ids import OrgId
from joule.replay.judging import Change, Word, change_of, judge

PIECE = 100_000  # rows of the journal in one go
EXAMPLES = 3  # tasks named for each kind of change to an action

_END = text(
    "SELECT at FROM trace_event WHERE org_id = :org AND at >= :start AND at < :until ORDER BY at OFFSET :piece LIMIT 1"
)
# A head is canonical, so the facts stand between these very bytes; they hold no brace of their own.
_FACTS, _CODE, _BRACE = (f"bytea '\\x{sought.encode().hex()}'" for sought in ('"facts":', '"code":', "}"))
_GROUPS = text(
    "SELECT action, decision, facts, count(*) AS times, any_value(task_id) AS task, any_value(seq) AS seq FROM ("
    f"  SELECT task_id, seq, action, decision, substring(tail FROM 1 FOR position({_BRACE} IN tail)) AS facts FROM ("
    "    SELECT task_id, seq, kind, action, decision, head, at_facts, substring(head FROM at_facts + 8) AS tail FROM ("
    f"      SELECT task_id, seq, kind, action, decision, head, position({_FACTS} IN head) AS at_facts"
    "      FROM trace_event WHERE org_id = :org AND at >= :start AND at < :end AND decision IS NOT NULL"
    "    ) heads"
    f"  ) rows WHERE at_facts > 0 AND (kind <> 'approval.asked' OR position({_CODE} IN head) = 0)"
    ") decisions GROUP BY action, decision, facts"
)


@dataclass(kw_only=True)
class Tally:
    """What was found so far: by action, and then by what a decision was and would be."""

    decisions: int = 0
    found: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, action: str, then: Word, now: Word, times: int, example: Mapping[str, Any]) -> None:
        """Count `times` decisions about `action`."""
        self.decisions += times
        line = self.found.setdefault(action, {}).setdefault(f"{then.value}>{now.value}", {"times": 0, "examples": []})
        line["times"] += times
        if change_of(then, now) is not Change.UNCHANGED and len(line["examples"]) < EXAMPLES:
            line["examples"].append(dict(example))


async def piece(
    session: AsyncSession, org: OrgId, tally: Tally, policy: Policy, *, start: datetime, until: datetime
) -> datetime:
    """Count the decisions from `start` on, as many as go in one piece; up to which time all are counted now."""
    found = await session.scalar(_END, {"org": org, "start": start, "until": until, "piece": PIECE})
    end = until if found is None else max(found, start + timedelta(microseconds=1))
    for row in (await session.execute(_GROUPS, {"org": org, "start": start, "end": end})).all():
        now = judge(policy, row.action, orjson.loads(bytes(row.facts)))
        example = {"task": str(row.task), "seq": row.seq, "policies": list(now.policies)}
        tally.add(row.action, Word(row.decision), now.word, row.times, example)
    return end
