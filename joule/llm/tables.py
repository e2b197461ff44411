"""The call log: that a model was asked, which one, how long it took and what it cost. Never a word of what was said.

No column can hold text of ours or a customer's: names of models and hosts are bounded by shape, outcomes are codes,
and the request is present only as a keyed hash that nobody outside the organisation can compute.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
)
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

PROVIDERS = ("anthropic", "bedrock", "google", "offline", "openai")


class LlmCall(SQLModel, table=True):
    """One call of a model, however it ended. `attempts` counts how often the conversation was sent."""

    __tablename__ = "llm_call"
    __table_args__ = (
        CheckConstraint(f"provider IN ({', '.join(repr(each) for each in PROVIDERS)})", name="llm_call_provider"),
        CheckConstraint(r"model ~ '^[A-Za-z0-9._:/@+-]{1,128}$'", name="llm_call_model"),
        CheckConstraint(r"recipient ~ '^[a-z0-9._:\[\]-]{1,255}$'", name="llm_call_recipient"),
        CheckConstraint(r"outcome ~ '^[a-z_]{1,32}(\.[a-z_]{1,32})?$'", name="llm_call_outcome"),
        CheckConstraint("octet_length(request_commitment) = 32", name="llm_call_commitment"),
        CheckConstraint("input_tokens >= 0 AND output_tokens >= 0 AND spend_micros >= 0", name="llm_call_counts"),
        CheckConstraint("attempts >= 1 AND duration_us >= 0 AND first_text_us >= 0", name="llm_call_times"),
        Index("llm_call_by_task", "org_id", "task_id"),
        Index("llm_call_by_time", "org_id", "at"),
        {
            "info": {
                "keeping": Keeping(holds="user.behavior", owner=Owner.TASK, ends=Ends.BY_CLASS, eraser="privacy.sweep")
            }
        },
    )

    org_id: UUID = Field(sa_column=Column(Uuid, primary_key=True, nullable=False))
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True, nullable=False))
    decision_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    task_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    model: str = Field(sa_column=Column(Text, nullable=False))
    recipient: str = Field(sa_column=Column(Text, nullable=False))
    request_commitment: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    attempts: int = Field(sa_column=Column(SmallInteger, nullable=False))
    input_tokens: int = Field(sa_column=Column(Integer, nullable=False))
    output_tokens: int = Field(sa_column=Column(Integer, nullable=False))
    duration_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    first_text_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    spend_micros: int = Field(sa_column=Column(BigInteger, nullable=False))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
