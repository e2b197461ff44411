"""The rows of an organisation's own policies, for this room alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.governance.rules.results import State
from joule.kernel.ids import OrgId

SOURCE = "policy"  # the field a version's text is sealed as

_COLUMNS = "id, number, state, source, policies, replaces, saved_at, saved_by, changed_at, changed_by"
_ALL = text(f"SELECT {_COLUMNS} FROM policy_version WHERE org_id = :org ORDER BY number DESC LIMIT :limit")
_STANDING = text(f"SELECT {_COLUMNS} FROM policy_version WHERE org_id = :org AND state IN ('trial', 'enforced')")
_ONE = text(f"SELECT {_COLUMNS} FROM policy_version WHERE org_id = :org AND id = :id")
_IN_STATE = text(f"SELECT {_COLUMNS} FROM policy_version WHERE org_id = :org AND state = :state")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One version as it lies there."""

    id: UUID
    number: int
    state: State
    source: bytes
    policies: int
    replaces: UUID | None
    saved_at: datetime
    saved_by: UUID | None
    changed_at: datetime
    changed_by: UUID | None


async def every(session: AsyncSession, org: OrgId, *, limit: int = 200) -> list[Stored]:
    """The newest versions, newest first."""
    return _read((await session.execute(_ALL, {"org": org, "limit": limit})).all())


async def standing(session: AsyncSession, org: OrgId) -> dict[State, Stored]:
    """The versions that are judged by: on trial, and in force."""
    return {each.state: each for each in _read((await session.execute(_STANDING, {"org": org})).all())}


async def one(session: AsyncSession, org: OrgId, version: UUID) -> Stored | None:
    """A version by its id."""
    return next(iter(_read((await session.execute(_ONE, {"org": org, "id": version})).all())), None)


async def in_state(session: AsyncSession, org: OrgId, state: State) -> Stored | None:
    """The one version in this state; of the retired ones any."""
    return next(iter(_read((await session.execute(_IN_STATE, {"org": org, "state": state.value})).all())), None)


def prefix_of(number: int) -> str:
    """What the policies of a version are called in the journal, before their own number."""
    return f"own.v{number}"


def _read(rows: Sequence[Row[Any]]) -> list[Stored]:
    return [Stored(**{**row._mapping, "state": State(row.state), "source": bytes(row.source)}) for row in rows]
