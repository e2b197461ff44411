"""What changing an organisation's own policies comes to."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class State(StrEnum):
    """Where a version stands. An organisation has at most one draft, one on trial and one in force."""

    DRAFT = "draft"
    TRIAL = "trial"  # judged beside the others: what it would decide otherwise is recorded, and nothing refused
    ENFORCED = "enforced"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True)
class PolicyChanged:
    """A version, and where it stands now."""

    version: UUID
    number: int
    state: State
    policies: int


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """The version that was taken out of force, and the one in force in its place; None: only those Joule comes with."""

    version: UUID
    number: int
    restored: int | None
