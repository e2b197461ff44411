"""The rows beside remembered items. Equal to migration 0012; a test compares them.

In them stand ids, times, numbers and words from closed lists, and nothing that anybody wrote.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner
from memory.items.kinds import DataClass, SourceKind, SwitchScope
from memory.tables import one_of

_TIME: Any = DateTime(timezone=True)
_WORDS: Any = ARRAY(Text)


def _keeping(*, holds: str, owner: Owner, eraser: str) -> dict[str, Any]:
    return {"info": {"keeping": Keeping(holds=holds, owner=owner, ends=Ends.WITH_OWNER, eraser=eraser)}}


class ItemSourceRow(SQLModel, table=True):
    """One thing an item was made from. Rows of one `decision_id` are one act of remembering, which needed all of them."""

    __tablename__ = "item_source"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "item_id"],
            ["memory_item.org_id", "memory_item.id"],
            ondelete="CASCADE",
            name="item_source_item",
        ),
        CheckConstraint(one_of("kind", *SourceKind), name="item_source_kind"),
        CheckConstraint("(start_at IS NULL) = (end_at IS NULL)", name="item_source_span"),
        CheckConstraint("start_at >= 0 AND end_at >= start_at", name="item_source_order"),
        Index("item_source_by_item", "org_id", "item_id"),
        Index("item_source_by_source", "org_id", "kind", "source_id"),
        _keeping(holds="workspace.memory", owner=Owner.PROJECT, eraser="memory.forget_item"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    item_id: UUID
    kind: str = Field(sa_type=Text)
    source_id: UUID
    start_at: int | None = Field(default=None, nullable=True)
    end_at: int | None = Field(default=None, nullable=True)
    decision_id: UUID


class MemorySwitchRow(SQLModel, table=True):
    """Where memory is switched off: `id` is the project's or the thread's. No row: it is on."""

    __tablename__ = "memory_switch"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "project_id"], ["project.org_id", "project.id"], ondelete="CASCADE", name="memory_switch_project"
        ),
        CheckConstraint(one_of("scope", *SwitchScope), name="memory_switch_scope"),
        CheckConstraint("scope <> 'project' OR id = project_id", name="memory_switch_own_project"),
        Index("memory_switch_by_project", "org_id", "project_id"),
        _keeping(holds="workspace.setting", owner=Owner.PROJECT, eraser="memory.switch_memory"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    scope: str = Field(sa_type=Text)
    project_id: UUID
    set_by: UUID | None = Field(default=None, nullable=True)
    created_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID


class TrainingConsentRow(SQLModel, table=True):
    """An owner's word that data of one class may train models, and its end. Only ever added and ended."""

    __tablename__ = "training_consent"
    __table_args__ = (
        CheckConstraint(one_of("data_class", *DataClass), name="training_consent_class"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="training_consent_end"),
        CheckConstraint("withdrawn_at >= given_at", name="training_consent_order"),
        Index(
            "training_consent_standing",
            "org_id",
            "data_class",
            unique=True,
            postgresql_where=sql("withdrawn_at IS NULL"),
        ),
        _keeping(holds="workspace.setting", owner=Owner.ORGANISATION, eraser="privacy.erase_organisation"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    data_class: str = Field(sa_type=Text)
    person: UUID
    given_at: datetime = Field(sa_type=_TIME)
    withdrawn_at: datetime | None = Field(default=None, sa_type=_TIME, nullable=True)
    withdrawn_by: UUID | None = Field(default=None, nullable=True)
    decision_id: UUID


class TrainingExportRow(SQLModel, table=True):
    """That something left for training: how much, of which classes, by whom. Never changed."""

    __tablename__ = "training_export"
    __table_args__ = (
        CheckConstraint("items >= 0 AND withheld >= 0", name="training_export_counts"),
        CheckConstraint("array_to_string(data_classes, ' ') ~ '^[a-z_ ]*$'", name="training_export_classes"),
        _keeping(holds="workspace.setting", owner=Owner.ORGANISATION, eraser="privacy.erase_organisation"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    person: UUID | None = Field(default=None, nullable=True)
    at: datetime = Field(sa_type=_TIME)
    items: int
    withheld: int
    data_classes: list[str] = Field(sa_type=_WORDS)
    decision_id: UUID
