"""The versions of organisations' own policies."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME = TIMESTAMP(timezone=True)


class PolicyVersion(SQLModel, table=True):
    """One version. Its text is sealed: what people write as a reason is theirs."""

    __tablename__ = "policy_version"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("state IN ('draft', 'trial', 'enforced', 'retired')", name="policy_version_state"),
        CheckConstraint("number > 0 AND policies > 0", name="policy_version_counts"),
        UniqueConstraint("org_id", "number", name="policy_version_number"),
        Index(
            "policy_version_one_of_each", "org_id", "state", unique=True, postgresql_where=text("state <> 'retired'")
        ),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.operations",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="privacy.erase_organisation",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    number: int
    state: str = Field(sa_type=Text)
    source: bytes = Field(sa_type=LargeBinary)  # Cedar, sealed
    policies: int
    replaces: UUID | None = Field(default=None)  # the version in force before this one was
    saved_at: datetime = Field(sa_type=_TIME)
    saved_by: UUID | None = Field(default=None)
    changed_at: datetime = Field(sa_type=_TIME)
    changed_by: UUID | None = Field(default=None)
    decision_id: UUID
