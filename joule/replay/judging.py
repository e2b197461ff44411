"""Judges recorded decisions again under other policies. Pure: runs nothing, and reads nothing but recorded facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from joule.governance.decision import Allow, Ask, Facts
from joule.governance.policy import UNDECIDED, Policy
from joule.kernel.ids import TaskId
from traces.reader import TaskEvent

NOBODY, NOTHING = "nobody", ("Organisation", "nothing")  # no policy may look at who it is or what it is about


class Word(StrEnum):
    """What a decision was, or would be."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"
    UNDECIDABLE = "undecidable"  # the record lacks a fact that the policies look at, or nobody knows the action now


class Change(StrEnum):
    """What would become of a decision."""

    UNCHANGED = "unchanged"
    DENIED = "denied"
    ASKED = "asked"
    ALLOWED = "newly_allowed"
    UNDECIDABLE = "undecidable"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the policies say of recorded facts."""

    word: Word
    policies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DecisionLine:
    """One decision of a task, then and under the other policies.

    `unknown_after`: a decision before it would have been another one, so it might never have come to this.
    """

    seq: int
    call: str
    action: str
    then: Word
    now: Word
    change: Change
    policies_then: tuple[str, ...]
    policies_now: tuple[str, ...]
    unknown_after: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskWhatIf:
    """All decisions of one task. `number`: of the organisation's own version that was asked; 0: none."""

    task: TaskId
    number: int
    lines: tuple[DecisionLine, ...]

    def count(self, change: Change) -> int:
        """How many decisions would become this."""
        return sum(each.change is change for each in self.lines)


def judge(policy: Policy, action: str, facts: Facts) -> Judgement:
    """What `policy` says of recorded facts."""
    reads = policy.reads(action)
    if reads is None or not reads <= facts.keys():
        return Judgement(word=Word.UNDECIDABLE)
    decision = policy.decide(action, principal=NOBODY, resource=NOTHING, facts=facts)
    if decision == UNDECIDED:
        return Judgement(word=Word.UNDECIDABLE)
    if isinstance(decision, Allow):
        return Judgement(word=Word.ALLOW, policies=decision.policies)
    return Judgement(word=Word.ASK if isinstance(decision, Ask) else Word.DENY, policies=decision.policies)


def change_of(then: Word, now: Word) -> Change:
    """What became of a decision."""
    if now is Word.UNDECIDABLE:
        return Change.UNDECIDABLE
    if then is now:
        return Change.UNCHANGED
    return {Word.ALLOW: Change.ALLOWED, Word.ASK: Change.ASKED, Word.DENY: Change.DENIED}[now]


def decisions_of(events: Sequence[TaskEvent], policy: Policy) -> tuple[DecisionLine, ...]:
    """Every decision of a task's rows, judged again. Content is not looked at."""
    lines: list[DecisionLine] = []
    for event in events:
        if not is_decision(event.kind, event.attrs):
            continue
        then, action = Word(event.attrs["decision"]), str(event.attrs["action"])
        now = judge(policy, action, event.attrs["facts"])
        lines.append(
            DecisionLine(
                seq=event.seq,
                call=event.call or "",
                action=action,
                then=then,
                now=now.word,
                change=change_of(then, now.word),
                policies_then=tuple(event.attrs.get("policies", ())),
                policies_now=now.policies,
                unknown_after=any(each.change is not Change.UNCHANGED for each in lines),
            )
        )
    return tuple(lines)


def is_decision(kind: str, attrs: Mapping[str, object]) -> bool:
    """Whether a row holds what the policies said: not one of a person who declined, nor of an account that lacked something."""
    return "facts" in attrs and "decision" in attrs and not (kind == "approval.asked" and "code" in attrs)
