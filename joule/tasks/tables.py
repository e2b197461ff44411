"""The rows of threads and tasks. Words are sealed: a title under the organisation's key, a task under its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner


class ThreadRow(SQLModel, table=True):
    """A conversation in a project: a tree of tasks of which one branch is read at a time."""

    __tablename__ = "thread"
    __table_args__ = (
        Index("thread_by_project", "org_id", "project_id", text("updated_at DESC")),
        {
            "info": {
                "keeping": Keeping(
                    holds="user.content.private",
                    owner=Owner.PROJECT,
                    ends=Ends.WITH_OWNER,
                    eraser="tasks.delete_thread",
                )
            }
        },
    )

    org_id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    project_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    title: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    author: UUID = Field(sa_column=Column(Uuid, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    decision_id: UUID = Field(sa_column=Column(Uuid, nullable=False))


class TaskRow(SQLModel, table=True):
    """One message and what became of it. `attempt` fences: only the newest attempt may end the task."""

    __tablename__ = "task"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "thread_id"], ["thread.org_id", "thread.id"], name="task_thread", ondelete="CASCADE"
        ),
        CheckConstraint(
            "state IN ('queued', 'running', 'waiting', 'done', 'failed', 'stopped')", name="task_state_known"
        ),
        CheckConstraint("(state = 'failed') = (code IS NOT NULL)", name="task_failure_has_code"),
        CheckConstraint("(state IN ('done', 'failed', 'stopped')) = (ended_at IS NOT NULL)", name="task_end_has_time"),
        Index("task_by_thread", "org_id", "thread_id", "id"),
        Index(
            "task_unended",
            "org_id",
            "state",
            "id",
            postgresql_where=text("state IN ('queued', 'running', 'waiting')"),
        ),
        Index("task_by_time", "org_id", text("id DESC")),
        {
            "info": {
                "keeping": Keeping(
                    holds="user.content.private",
                    owner=Owner.PROJECT,
                    ends=Ends.WITH_OWNER,
                    eraser="tasks.delete_thread",
                )
            }
        },
    )

    org_id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    thread_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    project_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    author: UUID = Field(sa_column=Column(Uuid, nullable=False))
    follows: UUID | None = Field(default=None, sa_column=Column(Uuid))  # the task before it in its branch
    replaces: UUID | None = Field(default=None, sa_column=Column(Uuid))  # the task it was sent in place of
    request: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    answer: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    label: dict[str, Any] = Field(
        sa_column=Column(JSONB, nullable=False)
    )  # see `Attempts.finish`; ids and words of ours only
    state: str = Field(sa_column=Column(Text, nullable=False))
    code: str | None = Field(default=None, sa_column=Column(Text))  # a JouleError.code, of a failed task
    attempt: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    crashes: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))  # in a row
    worker: str | None = Field(default=None, sa_column=Column(Text))  # who runs the present attempt
    # Out of the queue until a place among the organisation's running tasks is free.
    parked: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    # An answer came while the task had not paused yet: it goes on as soon as it has.
    answered: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    retention: str = Field(sa_column=Column(Text, nullable=False))  # of its trace
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    started_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    ended_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    stop_requested_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    decision_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
