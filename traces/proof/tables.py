"""Seals, signed heads, the keys that sign them, and how far heads were delivered.

None of it holds content: ids, counts, hashes, times. The private key and a webhook's address are sealed.
"""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME = TIMESTAMP(timezone=True)
_CLASSES = "retention IN ('1d', '7d', '30d', '90d', '1y', '7y', 'hold')"


class TraceSeal(SQLModel, table=True):
    """How far one task's chain had come: a leaf of the tree of its class and day."""

    __tablename__ = "trace_seal"
    __table_args__: ClassVar[Any] = (
        CheckConstraint(_CLASSES, name="trace_seal_retention"),
        CheckConstraint("position >= 0", name="trace_seal_position_check"),
        CheckConstraint("rows > 0", name="trace_seal_rows_check"),
        Index("trace_seal_once", "org_id", "task_id", "rows", unique=True),
        {
            "info": {
                "keeping": Keeping(holds="workspace.trace", owner=Owner.TASK, ends=Ends.BY_CLASS, eraser="traces.sweep")
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    retention: str = Field(primary_key=True, sa_type=Text)
    day: date = Field(primary_key=True, sa_type=Date)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    task_id: UUID
    rows: int
    head: bytes = Field(sa_type=LargeBinary)
    at: datetime = Field(sa_type=_TIME)


class TraceHead(SQLModel, table=True):
    """One signed head. Of a tree past its time the last one stays, for whoever kept an earlier one: it names nobody."""

    __tablename__ = "trace_head"
    __table_args__: ClassVar[Any] = (
        CheckConstraint(_CLASSES, name="trace_head_retention"),
        Index("trace_head_once", "org_id", "retention", "day", "size", unique=True),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.proof", owner=Owner.ORGANISATION, ends=Ends.BY_CLASS, eraser="traces.sweep"
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    retention: str = Field(sa_type=Text)
    day: date = Field(sa_type=Date)
    size: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    edge: bytes = Field(sa_type=LargeBinary)
    at: datetime = Field(sa_type=_TIME)
    note: str = Field(sa_type=Text)


class TraceSigningKey(SQLModel, table=True):
    """A key of this installation; of a former one only what checks its signatures is left."""

    __tablename__ = "trace_signing_key"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("org_id", "ordinal", name="trace_signing_key_one_of_each_ordinal"),
        {"info": {"keeping": Keeping(holds="system.keys", owner=Owner.NOBODY, ends=Ends.NEVER, eraser="")}},
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    ordinal: int
    public: bytes = Field(sa_type=LargeBinary)
    private: bytes | None = Field(default=None, sa_type=LargeBinary)
    statement: str = Field(sa_type=Text)
    made_at: datetime = Field(sa_type=_TIME)


class TraceDelivery(SQLModel, table=True):
    """Where heads are sent, how far that came, and how it went last."""

    __tablename__ = "trace_delivery"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("sink IN ('webhook', 'bucket')", name="trace_delivery_sink"),
        CheckConstraint("(sink = 'webhook') = (address IS NOT NULL)", name="trace_delivery_address"),
        CheckConstraint("problem ~ '^[a-z][a-z_.]{0,60}$'", name="trace_delivery_problem"),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.proof",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="traces.choose_delivery",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    sink: str = Field(primary_key=True, sa_type=Text)
    address: bytes | None = Field(default=None, sa_type=LargeBinary)
    cursor: int = Field(sa_type=BigInteger)
    tried_at: datetime | None = Field(default=None, sa_type=_TIME)
    delivered_at: datetime | None = Field(default=None, sa_type=_TIME)
    next_at: datetime | None = Field(default=None, sa_type=_TIME)
    failures: int
    problem: str | None = Field(default=None, sa_type=Text)
    decision_id: UUID
