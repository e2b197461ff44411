"""Typed, time-ordered identifiers (RFC 9562 UUID version 7).

An id tells when it was minted, so a partitioned table can be searched by id alone; it tells nothing else.
"""

from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

OrgId = NewType("OrgId", UUID)
PersonId = NewType("PersonId", UUID)
ProjectId = NewType("ProjectId", UUID)
ThreadId = NewType("ThreadId", UUID)
TaskId = NewType("TaskId", UUID)
FileId = NewType("FileId", UUID)
ItemId = NewType("ItemId", UUID)
DecisionId = NewType("DecisionId", UUID)


def new_id() -> UUID:
    """A fresh id. Ids minted by one process sort in the order they were minted."""
    return uuid7()


def minted_at(identifier: UUID) -> datetime:
    """When a version 7 id was minted, UTC, to the millisecond.

    Raises `ValueError` for any other version, whose bits say nothing about time.
    """
    if identifier.version != 7:
        raise ValueError("only a version 7 id tells when it was minted")
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)
