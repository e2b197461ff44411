"""The one table of this room: data keys, each wrapped by a key that is not in the database."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

ACTIVE, RETIRED, SHREDDED = "active", "retired", "shredded"


class DataKey(SQLModel, table=True):
    """A data key of one subject of one organisation.

    `ordinal` counts the keys a subject has had, from 1; the first one also carries the subject's commitments.
    A shredded row stays as a tombstone: its subject can never have a key again.
    """

    __tablename__: ClassVar[str] = "data_key"
    __table_args__ = (
        CheckConstraint("subject ~ '^([a-z]+:[A-Za-z0-9._-]{1,80})?$'", name="data_key_subject_is_an_id"),
        CheckConstraint("state IN ('active', 'retired', 'shredded')", name="data_key_state_known"),
        CheckConstraint("(state = 'shredded') = (octet_length(wrapped) = 0)", name="data_key_shredded_is_empty"),
        UniqueConstraint("org_id", "subject", "ordinal", name="data_key_one_of_each_ordinal"),
        Index("data_key_one_active", "org_id", "subject", unique=True, postgresql_where=text("state = 'active'")),
        Index("data_key_by_kek", "scheme", "kek_id", postgresql_where=text("state <> 'shredded'")),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.keys", owner=Owner.ORGANISATION, ends=Ends.WITH_OWNER, eraser="vault.shred"
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    subject: str = Field(sa_column=Column(Text, nullable=False))
    ordinal: int = Field(sa_column=Column(Integer, nullable=False))
    scheme: str = Field(sa_column=Column(Text, nullable=False))
    kek_id: str = Field(sa_column=Column(Text, nullable=False))
    wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
