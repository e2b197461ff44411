"""What a worker hands to the agent, and what it gets back: one claimed task and its outcome.

Plain data, so that the agent knows nothing of queues and workers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId
from joule.kernel.label import Label
from joule.kernel.principal import Principal
from joule.kernel.stop import Stop


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One earlier message of the branch and what was answered. `label`: of all that had been read for the answer."""

    task: TaskId
    request: str
    answer: str = field(repr=False)
    label: Label = field(default_factory=Label)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Leave to run one attempt of one task. Whoever holds an older attempt is fenced out.

    `history` is the branch this message continues, oldest first, bounded in number and in characters. `stop` is set
    when a person stops the task: the run then ends at its next safe point with `stopped`.
    """

    org: OrgId
    task: TaskId
    thread: ThreadId
    project: ProjectId
    principal: Principal  # the author, acting through the agent, with the role they have now
    retention: str  # the class of its trace
    attempt: int  # 1 for the first run; a resumed or rescued run has a higher one
    request: str = field(repr=False)
    label: Label  # of the request
    history: tuple[Exchange, ...] = field(default=(), repr=False)
    stop: Stop = field(default_factory=Stop, repr=False, compare=False)


class End(StrEnum):
    """How a run ended. `WAITING` is a pause: a person must answer first."""

    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one attempt ended. Made by `done`, `waiting`, `failed` and `stopped`."""

    end: End
    answer: str | None = field(default=None, repr=False)
    code: str | None = None  # the stable code of the error, for a failed task only
    label: Label | None = None  # of all that had been read when it ended; None: nobody knows


def done(answer: str) -> Outcome:
    """The task is finished; `answer` is what the person reads."""
    return Outcome(end=End.DONE, answer=answer)


def waiting() -> Outcome:
    """The run is paused at an approval; it is run again, from its start, when that is answered."""
    return Outcome(end=End.WAITING)


def failed(code: str, *, answer: str | None = None) -> Outcome:
    """The task ended with an error. `code` is a `JouleError.code`; `answer` the text given so far, if any."""
    return Outcome(end=End.FAILED, code=code, answer=answer)


def stopped(answer: str | None = None) -> Outcome:
    """A person stopped the task; `answer` is the text given so far, if any."""
    return Outcome(end=End.STOPPED, answer=answer)


Run = Callable[[Claim], Awaitable[Outcome]]
"""What runs a claimed task. May be cancelled at any await; raises `Fenced` when it finds itself replaced."""
