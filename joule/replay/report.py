"""What a replay found. Holds no content: where it differs, and in which field, is said; what stood there is not."""

from dataclasses import dataclass
from enum import StrEnum

from joule.kernel.ids import TaskId


class Verdict(StrEnum):
    """How the replay came out."""

    IDENTICAL = "identical"
    DIVERGED = "diverged"
    NOT_REPLAYABLE = "not_replayable"


class Divergence(StrEnum):
    """What kind of difference it is. D0 is none."""

    DECISION = "D1"  # the policy decides otherwise
    ARGUMENTS = "D2"  # a tool would be asked something else
    CALLS = "D3"  # a call is made that was not, or is not made that was
    REQUEST = "D4"  # the model would be asked something else
    VERSION = "D5"  # code, prompt, tools or policy changed, and nothing else did
    ERASED = "D6"  # what was recorded is no longer there
    ANSWER = "D7"  # the same calls ended in another answer


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference: its kind, at which call, in which field, then and now where both are closed words."""

    kind: Divergence
    at: str
    field: str
    recorded: str = ""
    now: str = ""


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """The outcome of replaying one task. `effects` is what the replay caused outside itself: always 0."""

    task: TaskId
    verdict: Verdict
    differences: tuple[Difference, ...]
    calls: int
    events: int
    duration_us: int
    effects: int = 0
