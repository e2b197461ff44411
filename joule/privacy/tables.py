"""Receipts of erasures: what went, what stayed and why. Equal to migration 0015; a test compares them.

A receipt holds ids, counts, closed words and times, and no word of anybody's: it outlives what it is about.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner


class ReceiptRow(SQLModel, table=True):
    """One receipt, as a note signed with the key of this installation (docs/proof.md)."""

    __tablename__ = "erasure_receipt"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("kind IN ('retention', 'task', 'person', 'organisation')", name="erasure_receipt_kind"),
        {"info": {"keeping": Keeping(holds="system.operations", owner=Owner.NOBODY, ends=Ends.NEVER, eraser="")}},
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    kind: str = Field(sa_type=Text)
    subject_id: UUID | None = Field(default=None, nullable=True)
    note: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=TIMESTAMP(timezone=True))
    by: UUID | None = Field(default=None, nullable=True)
    decision_id: UUID
