"""The rows of entries. Equal to migration 0012; a test compares them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import BYTEA
from sqlmodel import Field

from joule.database.keeping import Ends, Keeping, Owner
from memory.tables import LabelColumns, label_checks

_TIME: Any = DateTime(timezone=True)


class MemoryEntryRow(LabelColumns, table=True):
    """A value that another agent keeps under a namespace and a key, all three sealed in `value` under the
    organisation's key (field `memory_entry.value`, at `generation`).

    `entry_key` is a keyed hash of namespace and key: it finds the entry again.
    """

    __tablename__ = "memory_entry"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "project_id"], ["project.org_id", "project.id"], ondelete="CASCADE", name="memory_entry_project"
        ),
        UniqueConstraint("org_id", "project_id", "entry_key", name="memory_entry_one_of_each"),
        *label_checks("memory_entry"),
        {
            "info": {
                "keeping": Keeping(
                    holds="workspace.memory",
                    owner=Owner.PROJECT,
                    ends=Ends.WITH_OWNER,
                    eraser="memory.delete_entry",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    entry_key: bytes = Field(sa_type=BYTEA)
    value: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID
