"""How far an organisation's journal was exported, and how it went last. Holds no content."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME = TIMESTAMP(timezone=True)


class TraceExport(SQLModel, table=True):
    """One row an organisation: the last signed head whose spans have arrived."""

    __tablename__ = "trace_export"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("failures >= 0", name="trace_export_failures_check"),
        CheckConstraint("problem ~ '^[a-z][a-z_.]{0,60}$'", name="trace_export_problem"),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.export",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="privacy.erase_organisation",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    cursor: int = Field(sa_type=BigInteger)
    part: int = Field(sa_type=BigInteger)
    tried_at: datetime | None = Field(default=None, sa_type=_TIME)
    exported_at: datetime | None = Field(default=None, sa_type=_TIME)
    next_at: datetime | None = Field(default=None, sa_type=_TIME)
    failures: int
    problem: str | None = Field(default=None, sa_type=Text)
    decision_id: UUID
