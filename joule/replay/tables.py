"""What-ifs that were asked, how far they have come and what they found: counts, ids and closed words alone."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME = TIMESTAMP(timezone=True)


class WhatIfRow(SQLModel, table=True):
    """One question over the decisions of a span of time. Ends at its own date."""

    __tablename__ = "what_if"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("state IN ('running', 'done')", name="what_if_state"),
        CheckConstraint("since <= reached AND reached <= until", name="what_if_order"),
        Index("what_if_newest", "org_id", "asked_at"),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.operations",
                    owner=Owner.ORGANISATION,
                    ends=Ends.BY_DATE,
                    eraser="replay.forget_what_ifs",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    state: str = Field(sa_type=Text)
    version: UUID | None = Field(default=None)  # of the organisation's own policies; none: those in force
    number: int  # of that version as it was then; 0: none
    bundle: str = Field(sa_type=Text)  # digest of the policies that are asked
    since: datetime = Field(sa_type=_TIME)
    until: datetime = Field(sa_type=_TIME)
    reached: datetime = Field(sa_type=_TIME)  # decisions before it have been judged
    decisions: int
    found: dict[str, Any] = Field(sa_type=JSONB)
    asked_at: datetime = Field(sa_type=_TIME)
    asked_by: UUID | None = Field(default=None)
    ended_at: datetime | None = Field(default=None, sa_type=_TIME)
    expires_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID
