"""What the conversation's templates show: plain values, every choice made already."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from joule.web.markdown import Block

COVERED = "•" * 6  # no person writes so many


class Stand(StrEnum):
    """Where a turn stands, as a reader is told."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self in {Stand.DONE, Stand.FAILED, Stand.STOPPED}


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name and its value, as a line of a list."""

    name: str
    value: str
    is_long: bool = False


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Something the agent kept for the person: a file or a memory."""

    icon: str
    title: str
    href: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A question only a person can answer. `href` is where the answer goes."""

    id: UUID
    href: str
    title: str
    reason: str
    values: tuple[Fact, ...]
    came_from: str
    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One permission of a provider: its own name for it, and what it means."""

    name: str
    words: str


@dataclass(frozen=True, kw_only=True)
class StepUp:
    """Permissions a connected account lacks. `href` is where they are given, `answer` where to say that they are."""

    id: UUID
    answer: str
    provider: str
    reason: str
    permissions: tuple[Permission, ...]
    href: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing the agent wanted, what the gate said, and what came of it."""

    key: str
    icon: str
    title: str
    subject: str
    verdict: str
    tone: str  # ok, ask, no, or empty while it is not known
    glyph: str
    look: str  # a class of the card: is-refused, is-asking or empty
    asked: tuple[Fact, ...]
    why: str
    advice: str
    policies: tuple[str, ...]
    facts: tuple[Fact, ...]
    took: str
    outcome: str
    result: str
    saved: Saved | None = None
    sources: tuple[Saved, ...] = ()
    approval: Approval | None = None
    step_up: StepUp | None = None


@dataclass(frozen=True, kw_only=True)
class Words:
    """Text of the agent, as rendered blocks."""

    key: str
    blocks: tuple[Block, ...]


Part = Words | Step


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a turn ended, and what can be done now."""

    stand: Stand
    message: str
    advice: str
    code: str
    took: str
    may_retry: bool


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Which of several attempts at one message is shown, and the ways to its neighbours."""

    place: int
    total: int
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message and all that followed from it."""

    task: UUID
    asked: str | None  # None when the words were erased
    author: str
    at: datetime
    stand: Stand
    parts: tuple[Part, ...]
    ending: Ending | None
    attempts: Attempts | None
    cursor: str  # the id of the last event shown
    may_edit: bool
    stop_requested: bool = False

    @property
    def is_covered(self) -> bool:
        """Whether something of the message was covered before it was kept."""
        return self.asked is not None and COVERED in self.asked
