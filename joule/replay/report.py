"""What a replay found.

Where it differs and in which field is always said. What stood there, and what would stand there now, is content: it is
filled in only for who may read it, and never written down with the replay itself.
"""

from dataclasses import dataclass
from dataclasses import field as held
from enum import StrEnum
from typing import Annotated

from pydantic import PlainSerializer

from joule.kernel.ids import TaskId
from joule.kernel.label import Label

Shown = Annotated[str, PlainSerializer(lambda _: "")]
"""Text for the eyes of who asked, which the journal of the asking does not repeat."""


class Verdict(StrEnum):
    """How the replay came out."""

    IDENTICAL = "identical"
    DIVERGED = "diverged"
    NOT_REPLAYABLE = "not_replayable"


class Divergence(StrEnum):
    """What kind of difference it is."""

    NONE = "D0"
    DECISION = "D1"  # the policy decides otherwise
    ARGUMENTS = "D2"  # a tool would be asked something else
    CALLS = "D3"  # a call is made that was not, or is not made that was
    REQUEST = "D4"  # the model would be asked something else
    VERSION = "D5"  # code, prompt, tools or policy changed, and nothing else did
    ERASED = "D6"  # what was recorded is no longer there
    ANSWER = "D7"  # the same calls ended in another answer


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference: its kind, at which call, in which field, then and now.

    `recorded` and `now` are closed words and numbers. `then_text` and `now_text` are what stood there, for who may read
    it; `withheld` says that there would be something to read. `consequence`: it came after another difference, and may
    only follow from it.
    """

    kind: Divergence
    at: str
    field: str
    recorded: str = ""
    now: str = ""
    policies_then: tuple[str, ...] = ()
    policies_now: tuple[str, ...] = ()
    seq: int | None = None  # the row of the record where the call begins
    consequence: bool = False
    withheld: bool = False
    then_text: Shown = held(default="", repr=False)
    now_text: Shown = held(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Version:
    """One thing the run depended on, as it was then and as it is now. Empty: not recorded then."""

    name: str  # code, graph, prompt, tools, policies, facts, catalogue
    recorded: str
    now: str

    @property
    def is_same(self) -> bool:
        return self.recorded == self.now or not self.recorded


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """The outcome of replaying one task. `effects` is what the replay caused outside itself: always 0.

    A strict replay ends at its first difference. A lenient one goes on with what was recorded and lists all.
    """

    task: TaskId
    verdict: Verdict
    differences: tuple[Difference, ...]
    calls: int
    events: int
    duration_us: int
    effects: int = 0
    lenient: bool = False
    versions: tuple[Version, ...] = ()
    label: Label = held(default_factory=Label)

    @property
    def grade(self) -> Divergence:
        """The class of the first difference that matters; a change of versions alone is D5, none at all D0."""
        kinds = [each.kind for each in self.differences]
        grave = [kind for kind in kinds if kind is not Divergence.VERSION]
        return next(iter(grave), next(iter(kinds), Divergence.NONE))
