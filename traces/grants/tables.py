"""The rows of access to content. Equal to migration 0017; a test compares them.

Sealed under the key of the task's own content is `content_access.reason`; it goes when that goes. Everything else is
ids, times and words from closed lists.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TIMESTAMP
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

REASON = "content_access.reason"

_TIME: Any = TIMESTAMP(timezone=True)
_WORDS: Any = ARRAY(Text)
_KNOWN = "ARRAY['request', 'arguments', 'results', 'answer']"


def _time(*, optional: bool = False) -> Any:
    more: Any = {"default": None, "nullable": True} if optional else {}
    return Field(sa_type=_TIME, **more)


def _keeping() -> dict[str, Any]:
    keeping = Keeping(
        holds="user.behavior.security", owner=Owner.ORGANISATION, ends=Ends.BY_DATE, eraser="traces.forget_access"
    )
    return {"info": {"keeping": keeping}}


class ContentAccessRow(SQLModel, table=True):
    """One request, and what became of it. Granted and not ended, it is live until `expires_at`."""

    __tablename__ = "content_access"
    __table_args__ = (
        CheckConstraint("kind IN ('request', 'break_glass')", name="content_access_kind"),
        CheckConstraint(
            "state IN ('asked', 'granted', 'declined', 'revoked', 'withdrawn')", name="content_access_state"
        ),
        CheckConstraint(
            f"asked_parts <@ {_KNOWN} AND parts <@ asked_parts AND cardinality(asked_parts) > 0",
            name="content_access_parts",
        ),
        CheckConstraint("answered_by <> asked_by", name="content_access_two_people"),
        CheckConstraint(
            "state <> 'granted' OR (answered_by IS NOT NULL AND expires_at IS NOT NULL AND cardinality(parts) > 0)",
            name="content_access_granted_by_somebody_until_then",
        ),
        CheckConstraint(
            "expires_at <= answered_at + CASE kind WHEN 'break_glass' THEN interval '4 hours' ELSE interval '7 days' END",
            name="content_access_ends_soon",
        ),
        Index(
            "content_access_one_open",
            "org_id",
            "task_id",
            "asked_by",
            "kind",
            unique=True,
            postgresql_where=sql("state = 'asked'"),
        ),
        Index("content_access_by_task", "org_id", "task_id"),
        Index(
            "content_access_open",
            "org_id",
            "state",
            postgresql_where=sql("state IN ('asked', 'granted')"),
        ),
        Index("content_access_ends", "org_id", "forget_at"),
        _keeping(),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    task_id: UUID
    kind: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    asked_by: UUID
    asked_at: datetime = _time()
    asked_parts: list[str] = Field(sa_type=_WORDS)
    asked_hours: int
    reason: bytes = Field(sa_type=BYTEA)
    parts: list[str] = Field(sa_type=_WORDS)
    answered_by: UUID | None = None
    answered_at: datetime | None = _time(optional=True)
    expires_at: datetime | None = _time(optional=True)
    ended_by: UUID | None = None
    ended_at: datetime | None = _time(optional=True)
    seen_by: UUID | None = None
    seen_at: datetime | None = _time(optional=True)
    forget_at: datetime = _time()
    decision_id: UUID


class ContentReadRow(SQLModel, table=True):
    """One read of a task's content, on record before a byte of it was shown."""

    __tablename__ = "content_read"
    __table_args__ = (
        CheckConstraint(f"parts <@ {_KNOWN} AND cardinality(parts) > 0", name="content_read_parts"),
        CheckConstraint("role IN ('owner', 'admin', 'support')", name="content_read_role"),
        CheckConstraint("role <> 'support' OR access_id IS NOT NULL", name="content_read_support_has_a_grant"),
        Index("content_read_by_time", "org_id", sql("at DESC")),
        Index("content_read_by_task", "org_id", "task_id"),
        Index("content_read_ends", "org_id", "forget_at"),
        _keeping(),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    task_id: UUID
    access_id: UUID | None = None
    reader_id: UUID
    role: str = Field(sa_type=Text)
    parts: list[str] = Field(sa_type=_WORDS)
    at: datetime = _time()
    forget_at: datetime = _time()
    decision_id: UUID
