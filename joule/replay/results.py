"""How a what-if over a span of time stands."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class WhatIfProgress:
    """How far a what-if has come: up to which time, in per cent, over how many decisions."""

    what_if: UUID
    done: bool
    percent: int
    decisions: int
    reached: datetime


@dataclass(frozen=True, kw_only=True)
class WhatIfsForgotten:
    """How many reports were past their time."""

    reports: int
