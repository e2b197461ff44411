"""The rows of this room. Equal to migrations 0005 and 0012; a test compares them.

All that people or the agent wrote is sealed under the organisation's key: `project.title`, `memory_item.text` and
`.subject`, `project_file.name`, `file_version.content`. In clear stand ids, numbers, times, words from closed lists and
keyed hashes. The label of an item or version stands in columns, because flow and erasure have to ask about it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.types import Uuid
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner
from memory.items.kinds import ItemState
from memory.kinds import ItemKind, MediaType

_TIME: Any = DateTime(timezone=True)
_WORDS: Any = ARRAY(Text)
_IDS: Any = ARRAY(Uuid)


def one_of(column: str, *words: str) -> str:
    """The condition that a column holds one of these words."""
    allowed = ", ".join(f"'{word}'" for word in words)
    return f"{column} IN ({allowed})"


def label_checks(table: str) -> tuple[CheckConstraint, ...]:
    """Labels hold words and ids only: no place for free text."""
    return (
        CheckConstraint(one_of("via", "person", "agent", "system"), name=f"{table}_via"),
        CheckConstraint(one_of("integrity", "trusted", "untrusted"), name=f"{table}_integrity"),
        CheckConstraint(one_of("training", "denied", "allowed"), name=f"{table}_training"),
        CheckConstraint("array_to_string(categories, ' ') ~ '^[a-z_. ]*$'", name=f"{table}_categories"),
        CheckConstraint("array_to_string(purposes, ' ') ~ '^[a-z_. ]*$'", name=f"{table}_purposes"),
        CheckConstraint(
            "array_to_string(sources, ' ') ~ '^([a-z_]+:[A-Za-z0-9._/-]{1,80}( |$))*$'", name=f"{table}_sources"
        ),
    )


def _keeping(*, holds: str, ends: Ends, eraser: str) -> dict[str, Any]:
    return {"info": {"keeping": Keeping(holds=holds, owner=Owner.PROJECT, ends=ends, eraser=eraser)}}


class LabelColumns(SQLModel):
    """The label of a value, and whose hand brought it."""

    author: UUID | None = Field(default=None, nullable=True)
    via: str = Field(sa_type=Text)
    source_task: UUID
    integrity: str = Field(sa_type=Text)
    training: str = Field(sa_type=Text)
    readers: list[UUID] | None = Field(default=None, sa_type=_IDS, nullable=True)
    categories: list[str] = Field(sa_type=_WORDS)
    purposes: list[str] = Field(sa_type=_WORDS)
    sources: list[str] = Field(sa_type=_WORDS)


class ProjectRow(SQLModel, table=True):
    """One project. `title` is sealed (field `project.title`, at `generation`)."""

    __tablename__ = "project"
    __table_args__ = (
        {
            "info": {
                "keeping": Keeping(
                    holds="workspace.project",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="memory.delete_project",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    title: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    author: UUID | None = Field(default=None, nullable=True)
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID


class MemoryItemRow(LabelColumns, table=True):
    """One remembered text, sealed (field `memory_item.text`, at `generation`).

    `text_key` is a keyed hash of the normalised text: the same text is kept once. A superseded item goes with the one
    that took its place. `subject` is sealed like the text (field `memory_item.subject`); `subject_key` finds it again.
    """

    __tablename__ = "memory_item"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "project_id"], ["project.org_id", "project.id"], ondelete="CASCADE", name="memory_item_project"
        ),
        ForeignKeyConstraint(
            ["org_id", "superseded_by"],
            ["memory_item.org_id", "memory_item.id"],
            ondelete="CASCADE",
            name="memory_item_successor",
        ),
        UniqueConstraint("org_id", "project_id", "text_key", name="memory_item_said_once"),
        CheckConstraint(one_of("kind", *ItemKind), name="memory_item_kind"),
        CheckConstraint("superseded_by <> id", name="memory_item_not_its_own_successor"),
        CheckConstraint(one_of("state", *ItemState), name="memory_item_state"),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="memory_item_confidence"),
        CheckConstraint("valid_to > valid_from", name="memory_item_validity"),
        CheckConstraint("(subject IS NULL) = (subject_key IS NULL)", name="memory_item_subject"),
        *label_checks("memory_item"),
        Index("memory_item_ends", "org_id", "expires_at", postgresql_where=sql("expires_at IS NOT NULL")),
        Index(
            "memory_item_about",
            "org_id",
            "project_id",
            "subject_key",
            postgresql_where=sql("subject_key IS NOT NULL"),
        ),
        Index("memory_item_replaced", "org_id", "superseded_by", postgresql_where=sql("superseded_by IS NOT NULL")),
        _keeping(holds="workspace.memory", ends=Ends.WITH_OWNER, eraser="memory.forget_item"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    kind: str = Field(sa_type=Text)
    text: bytes = Field(sa_type=BYTEA)
    text_key: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    state: str = Field(default=ItemState.LIVE.value, sa_type=Text)
    subject: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    subject_key: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    confidence: int = 100  # percent
    valid_from: datetime | None = Field(default=None, sa_type=_TIME, nullable=True)
    valid_to: datetime | None = Field(default=None, sa_type=_TIME, nullable=True)
    contradicts: UUID | None = Field(default=None, nullable=True)  # the item a proposal would take the place of
    pinned: bool = False
    expires_at: datetime | None = Field(default=None, sa_type=_TIME, nullable=True)
    superseded_by: UUID | None = Field(default=None, nullable=True)
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID


class ProjectFileRow(SQLModel, table=True):
    """One file. `name` is sealed (field `project_file.name`); `name_key` finds it again in any letter case.

    A deleted file keeps this row and its versions until it is restored, erased or swept.
    """

    __tablename__ = "project_file"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "project_id"], ["project.org_id", "project.id"], ondelete="CASCADE", name="project_file_project"
        ),
        CheckConstraint("newest >= 1", name="project_file_newest"),
        Index(
            "project_file_one_of_each_name",
            "org_id",
            "project_id",
            "name_key",
            unique=True,
            postgresql_where=sql("deleted_at IS NULL"),
        ),
        Index("project_file_by_project", "org_id", "project_id"),
        Index("project_file_deleted", "org_id", "deleted_at", postgresql_where=sql("deleted_at IS NOT NULL")),
        _keeping(holds="workspace.file", ends=Ends.WITH_OWNER, eraser="memory.erase_file"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    name: bytes = Field(sa_type=BYTEA)
    name_key: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    newest: int
    created_at: datetime = Field(sa_type=_TIME)
    deleted_at: datetime | None = Field(default=None, sa_type=_TIME, nullable=True)
    decision_id: UUID


class FileVersionRow(LabelColumns, table=True):
    """One state of a file, never changed. `content` is sealed (row = file id, field `file_version.content.<version>`)."""

    __tablename__ = "file_version"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "file_id"],
            ["project_file.org_id", "project_file.id"],
            ondelete="CASCADE",
            name="file_version_file",
        ),
        CheckConstraint("version >= 1", name="file_version_number"),
        CheckConstraint("size >= 0", name="file_version_size"),
        CheckConstraint(one_of("media_type", *MediaType), name="file_version_media_type"),
        *label_checks("file_version"),
        _keeping(holds="workspace.file", ends=Ends.WITH_OWNER, eraser="memory.erase_file"),
    )

    org_id: UUID = Field(primary_key=True)
    file_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    content: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    content_key: bytes = Field(sa_type=BYTEA)
    size: int
    media_type: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID
