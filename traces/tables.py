"""The journal's rows. Partitions are made by the database itself; see the migration.

Deleting is not granted to the application: rows end with their partition, content ends with its key.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME = TIMESTAMP(timezone=True)


def _kept(holds: str, eraser: str) -> dict[str, Any]:
    return {"info": {"keeping": Keeping(holds=holds, owner=Owner.TASK, ends=Ends.BY_CLASS, eraser=eraser)}}


class TraceChain(SQLModel, table=True):
    """Where one task's chain stands, and which attempt may write on."""

    __tablename__ = "trace_chain"
    __table_args__: ClassVar[Any] = (
        CheckConstraint(
            "retention IN ('1d', '7d', '30d', '90d', '1y', '7y', 'hold')", name="trace_chain_retention_check"
        ),
        Index("trace_chain_by_start", "started_at", postgresql_using="brin"),
        _kept("workspace.trace", "traces.sweep"),
    )

    org_id: UUID = Field(primary_key=True)
    task_id: UUID = Field(primary_key=True)
    retention: str = Field(sa_type=Text)
    key_subject: str = Field(sa_type=Text)
    started_at: datetime = Field(sa_type=_TIME)
    attempt: int
    next_seq: int
    head: bytes = Field(sa_type=LargeBinary)


class TraceEvent(SQLModel, table=True):
    """The head of one row, in clear: ids, closed words, numbers and hashes."""

    __tablename__ = "trace_event"
    __table_args__: ClassVar[Any] = (
        Index("trace_event_by_time", "org_id", "at"),
        Index("trace_event_commands", "org_id", "at", "task_id", postgresql_where=text("call = 'command'")),
        {**_kept("workspace.trace", "traces.sweep"), "postgresql_partition_by": "LIST (retention)"},
    )

    org_id: UUID = Field(primary_key=True)
    task_id: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    retention: str = Field(primary_key=True, sa_type=Text)
    at: datetime = Field(primary_key=True, sa_type=_TIME)
    kind: str = Field(sa_type=Text)
    call: str | None = Field(default=None, sa_type=Text)
    action: str | None = Field(default=None, sa_type=Text)
    decision: str | None = Field(default=None, sa_type=Text)
    head: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)


class TraceContent(SQLModel, table=True):
    """One sealed field of one row."""

    __tablename__ = "trace_content"
    __table_args__: ClassVar[Any] = (
        {**_kept("workspace.trace", "traces.sweep"), "postgresql_partition_by": "LIST (retention)"},
    )

    org_id: UUID = Field(primary_key=True)
    task_id: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    field: str = Field(primary_key=True, sa_type=Text)
    retention: str = Field(primary_key=True, sa_type=Text)
    at: datetime = Field(primary_key=True, sa_type=_TIME)
    sealed: bytes = Field(sa_type=LargeBinary)
