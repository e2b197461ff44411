"""What every table must say about itself: what it holds, whose it is, when it ends and who erases it.

A table without a `Keeping` fails the build (`tests/house/test_keeping.py`).
"""

from dataclasses import dataclass
from enum import StrEnum


class Ends(StrEnum):
    """When rows go away."""

    WITH_OWNER = "with its owner"  # kept while the owner is; gone when the owner is deleted
    BY_CLASS = "by retention class"  # partitions dropped and keys destroyed by the organisation's trace retention
    BY_DATE = "at its own date"  # each row carries the instant it ends
    NEVER = "never"  # holds nothing about anybody


class Owner(StrEnum):
    """Whose deletion takes the rows along."""

    ORGANISATION = "organisation"
    PERSON = "person"
    PROJECT = "project"
    TASK = "task"
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Put into a table as `__table_args__ = {"info": {"keeping": Keeping(...)}}`."""

    holds: str  # a fideslang data category, or one of ours such as `workspace.memory`
    owner: Owner
    ends: Ends
    eraser: str  # the action or sweep that removes rows, as `room.verb`
