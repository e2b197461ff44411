"""What people have been asked to agree to."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME = TIMESTAMP(timezone=True)


class Approval(SQLModel, table=True):
    """One question to a person, bound to exactly one action. Single use."""

    __tablename__ = "approval"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("state IN ('asked', 'approved', 'declined', 'spent')", name="approval_state_check"),
        Index("approval_of_task", "org_id", "task_id"),
        {
            "info": {
                "keeping": Keeping(
                    holds="workspace.approval", owner=Owner.TASK, ends=Ends.WITH_OWNER, eraser="tasks.delete_thread"
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    task_id: UUID
    decision_id: UUID
    call: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    binding: bytes = Field(sa_type=LargeBinary)
    state: str = Field(sa_type=Text)
    asked_at: datetime = Field(sa_type=_TIME)
    expires_at: datetime = Field(sa_type=_TIME)
    answered_at: datetime | None = Field(default=None, sa_type=_TIME)
    answered_by: UUID | None = Field(default=None)
    note: bytes | None = Field(default=None, sa_type=LargeBinary)
