"""What an organisation's pages may read about its model calls: counts, tokens and spend."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlmodel import col

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, TaskId
from joule.llm.tables import LlmCall


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What calls used, added up. Spend is in millionths of the billing currency."""

    calls: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    spend_micros: int = 0


@dataclass(frozen=True, kw_only=True)
class RecipientUsage:
    """What one recipient of conversations was used for."""

    provider: str
    model: str
    recipient: str
    usage: Usage


@dataclass(frozen=True, kw_only=True)
class Call:
    """One model call: to whom, and what it used. `first_text_us` is None when it wrote nothing."""

    decision: UUID
    provider: str
    model: str
    recipient: str
    input_tokens: int
    output_tokens: int
    spend_micros: int
    first_text_us: int | None
    attempts: int
    outcome: str


_TOTALS = (
    func.count(),
    func.count().filter(col(LlmCall.outcome) != "done"),
    func.coalesce(func.sum(col(LlmCall.input_tokens)), 0),
    func.coalesce(func.sum(col(LlmCall.output_tokens)), 0),
    func.coalesce(func.sum(col(LlmCall.spend_micros)), 0),
)


async def usage_of_task(session: ReadSession, org: OrgId, task: TaskId) -> Usage:
    """What one task has used so far, over all its attempts."""
    return await _usage(session, col(LlmCall.org_id) == org, col(LlmCall.task_id) == task)


async def calls_of_task(session: ReadSession, org: OrgId, task: TaskId) -> list[Call]:
    """The model calls of one task, in the order they were made."""
    chosen = select(LlmCall).where(col(LlmCall.org_id) == org, col(LlmCall.task_id) == task)
    rows = (await session.execute(chosen.order_by(col(LlmCall.at), col(LlmCall.id)))).scalars()
    return [
        Call(
            decision=row.decision_id,
            provider=row.provider,
            model=row.model,
            recipient=row.recipient,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            spend_micros=row.spend_micros,
            first_text_us=row.first_text_us,
            attempts=row.attempts,
            outcome=row.outcome,
        )
        for row in rows
    ]


async def usage_of_organisation(session: ReadSession, org: OrgId, *, since: datetime, until: datetime) -> Usage:
    """What an organisation used from `since` (included) to `until` (not included)."""
    return await _usage(session, col(LlmCall.org_id) == org, col(LlmCall.at) >= since, col(LlmCall.at) < until)


async def recipients(session: ReadSession, org: OrgId, *, since: datetime, until: datetime) -> list[RecipientUsage]:
    """Who was sent conversations of this organisation, and how often; most calls first."""
    keys = (col(LlmCall.provider), col(LlmCall.model), col(LlmCall.recipient))
    query = (
        select(*keys, *_TOTALS)
        .where(col(LlmCall.org_id) == org, col(LlmCall.at) >= since, col(LlmCall.at) < until)
        .group_by(*keys)
        .order_by(func.count().desc(), *keys)
    )
    rows = (await session.execute(query)).all()
    return [
        RecipientUsage(provider=row[0], model=row[1], recipient=row[2], usage=_added(tuple(row[3:]))) for row in rows
    ]


async def _usage(session: ReadSession, *conditions: ColumnElement[bool]) -> Usage:
    row = (await session.execute(select(*_TOTALS).where(*conditions))).one()
    return _added(tuple(row))


def _added(row: tuple[Any, ...]) -> Usage:
    calls, failed, read, written, spend = (int(each) for each in row)
    return Usage(calls=calls, failed=failed, input_tokens=read, output_tokens=written, spend_micros=spend)
