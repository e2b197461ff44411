"""The rows that say how the journal ends. Equal to migration 0015; a test compares them.

In clear: ids, days, closed words and times. Why something is on hold is sealed under the organisation's key.
"""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME = TIMESTAMP(timezone=True)


def _kept(holds: str, *, ends: Ends = Ends.WITH_OWNER, eraser: str) -> dict[str, Any]:
    return {"info": {"keeping": Keeping(holds=holds, owner=Owner.ORGANISATION, ends=ends, eraser=eraser)}}


class RetentionRow(SQLModel, table=True):
    """For how many days the words of tasks that begin on or after `from_day` can be read."""

    __tablename__ = "trace_retention"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("days BETWEEN 1 AND 2557", name="trace_retention_days"),
        _kept("workspace.setting", eraser="privacy.erase_organisation"),
    )

    org_id: UUID = Field(primary_key=True)
    from_day: date = Field(primary_key=True, sa_type=Date)
    days: int
    set_by: UUID | None = Field(default=None, nullable=True)
    set_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID


class HoldRow(SQLModel, table=True):
    """One legal hold: while it is not lifted, nothing in its scope is erased. `reason` is sealed (field `hold.reason`)."""

    __tablename__ = "legal_hold"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("scope IN ('organisation', 'person', 'task')", name="legal_hold_scope"),
        CheckConstraint("(scope = 'organisation') = (subject_id IS NULL)", name="legal_hold_subject"),
        CheckConstraint("(lifted_at IS NULL) = (lifted_decision IS NULL)", name="legal_hold_lifted"),
        _kept("workspace.setting", eraser="privacy.erase_organisation"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    scope: str = Field(sa_type=Text)
    subject_id: UUID | None = Field(default=None, nullable=True)
    reason: bytes = Field(sa_type=LargeBinary)
    placed_by: UUID | None = Field(default=None, nullable=True)
    placed_at: datetime = Field(sa_type=_TIME)
    lifted_by: UUID | None = Field(default=None, nullable=True)
    lifted_at: datetime | None = Field(default=None, sa_type=_TIME, nullable=True)
    lifted_decision: UUID | None = Field(default=None, nullable=True)
    decision_id: UUID


class ErasureRow(SQLModel, table=True):
    """That the keys of one subject of the journal were destroyed: which, when, why. Goes with the chains it is about."""

    __tablename__ = "trace_erasure"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("subject ~ '^((task|person|day):[A-Za-z0-9-]{10,36})?$'", name="trace_erasure_subject"),
        CheckConstraint("cause IN ('retention', 'request', 'deletion')", name="trace_erasure_cause"),
        Index("trace_erasure_of", "org_id", "subject"),
        _kept("system.operations", ends=Ends.BY_CLASS, eraser="traces.sweep"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    subject: str = Field(sa_type=Text)
    cause: str = Field(sa_type=Text)
    keys: int
    by: UUID | None = Field(default=None, nullable=True)
    at: datetime = Field(sa_type=_TIME)
    decision_id: UUID
