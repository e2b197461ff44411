"""Answers the agent's wishes from the record, and notes where they are not what was recorded.

Has no handler, no credential and no way to one: an effect is impossible here, not merely avoided.
"""

from dataclasses import replace
from typing import Any, NoReturn, TypeVar, cast
from uuid import UUID

from joule.governance.decision import Allow, Ask, Decision
from joule.governance.ends import again
from joule.governance.facts import facts_of, ids_in, resource_of
from joule.governance.flow import provenance_of
from joule.governance.policy import Policy
from joule.kernel.action import Action
from joule.kernel.errors import ApprovalNeeded, JouleError, LimitReached, Stopped
from joule.replay.comparing import request_differences
from joule.replay.report import Difference, Divergence
from joule.vault.keys import Keyring
from traces.recording import Recording, Step
from traces.records import Kind

R = TypeVar("R")


class Diverged(Exception):  # leaves the graph untouched: nothing in the agent may swallow it
    """The replay cannot go on: what follows would not be what happened."""


class NotOnRecord(JouleError):
    """A lenient replay makes a call that was never made: there is nothing to answer it with."""

    code = "replay.not_on_record"

    def __init__(self) -> None:
        super().__init__("this call is not on record")


class Playback:
    """The record of one task, asked as if it were the gate."""

    def __init__(
        self,
        recording: Recording,
        *,
        policy: Policy,
        keyring: Keyring,
        words: str,
        lenient: bool = False,
        reads: frozenset[str] = frozenset(),
        changed: frozenset[str] = frozenset(),
    ) -> None:
        """`lenient`: go on with what was recorded. `reads`: the content that may be shown. `changed`: other versions."""
        self.differences: list[Difference] = []
        self.asked: set[str] = set()
        self._recording, self._policy, self._keyring, self._words = recording, policy, keyring, words
        self._lenient, self._reads, self._changed = lenient, reads, changed
        self._minted: set[UUID] = set()

    async def perform(self, action: Action[R], *, call: str, tool: str | None = None) -> R:
        """What `call` came to. Raises `Diverged` where the record does not know this wish, or ends a strict replay."""
        self.asked.add(call)
        step = self._recording.step(call)
        entry = step.end or step.asked or step.intent or step.lacking
        if entry is None:
            self._unrecorded(call)
        said = next(each for each in (step.intent, step.asked, step.lacking, step.end) if each is not None)
        if said.attrs["binding"] != self._keyring.commitment("call", action.binding()).hex():
            self._note(
                *request_differences(
                    action,
                    call,
                    was=str(said.attrs["action"]),
                    args=said.content.get("args") or {},
                    reads=self._reads,
                    changed=self._changed,
                )
            )
        self._judge(action, call, step)
        return self._end(action, call, step)

    def finish(self, *differences: Difference) -> list[Difference]:
        """All that was found, with these found at the end."""
        for each in differences:
            self._add(each)
        return self.differences

    def missing(self) -> list[Difference]:
        """Recorded calls the replay never made."""
        left = sorted(set(self._recording.steps) - self.asked)
        return [
            Difference(kind=Divergence.CALLS, at=call, field="call", recorded="made", now="not made") for call in left
        ]

    def _judge(self, action: Action[Any], call: str, step: Step) -> None:
        """Decide again on what is known now, and compare facts and decision with the record."""
        refused = step.end if step.end and step.end.kind is Kind.REFUSED else None
        recorded = step.intent or refused or step.lacking or step.asked
        if recorded is None or "facts" not in recorded.attrs:
            return
        then = {"boundary": "none", **recorded.attrs["facts"]}  # of before there was a choice
        came_from = provenance_of(action, words=self._words, minted=self._minted)
        now = facts_of(action, provenance=came_from, approved=bool(then["approved"]), boundary=str(then["boundary"]))
        # What the author was at that step only the record knows: it may have changed while the task waited.
        facts = {**now, "role": then["role"]}
        self._note(
            *(
                Difference(
                    kind=Divergence.DECISION,
                    at=call,
                    field=f"facts.{name}",
                    recorded=str(then.get(name)),
                    now=str(facts.get(name)),
                )
                for name in sorted(set(then) | set(facts))
                if then.get(name) != facts.get(name)
            )
        )
        decision = self._policy.decide(
            action.name, principal=str(action.principal.person), resource=resource_of(action), facts=facts
        )
        # What a connected account lacked was found out by trying, so the policies had allowed it.
        was = "allow" if recorded is step.lacking else str(recorded.attrs["decision"])
        word = _word(decision)
        if was != word and not _declined(step):
            self._note(
                Difference(
                    kind=Divergence.DECISION,
                    at=call,
                    field="decision",
                    recorded=was,
                    now=word,
                    policies_then=tuple(recorded.attrs.get("policies", ())),
                    policies_now=decision.policies,
                )
            )

    def _end(self, action: Action[R], call: str, step: Step) -> R:
        end = step.end
        asked = step.lacking or step.asked
        if end is None and asked is not None and step.intent is None:
            why = asked.content.get("why") or {"reason": "", "advice": ""}
            raise ApprovalNeeded(action.name, reason=why["reason"], advice=why["advice"])
        if end is None:
            raise Stopped()  # begun and given up: a stopped task, or one that died here
        if not end.content:
            self._stop(Difference(kind=Divergence.ERASED, at=call, field="content"))
        result = again(action, end)
        self._minted.update(ids_in(result))
        return cast(R, result)

    def _unrecorded(self, call: str) -> NoReturn:
        """A call that is not on record: the run had ended before it, or would now do something it did not."""
        ended = self._recording.ended
        if ended is not None and ended.attrs["outcome"] == "stopped":
            raise Stopped()
        if ended is not None and ended.attrs.get("code") == LimitReached.code:
            raise LimitReached("recorded limit", 0)
        extra = Difference(kind=Divergence.CALLS, at=call, field="call", recorded="not made", now="made")
        if self._lenient and call.startswith("act/"):
            self._note(extra)
            raise NotOnRecord()
        self._stop(extra)

    def _note(self, *differences: Difference) -> None:
        """A strict replay ends here; a lenient one goes on with what was recorded."""
        for each in differences:
            self._add(each)
        if differences and not self._lenient:
            raise Diverged(differences[0].at)

    def _stop(self, difference: Difference) -> NoReturn:
        self._add(difference)
        raise Diverged(difference.at)

    def _add(self, difference: Difference) -> None:
        follows = any(each.at != difference.at for each in self.differences)
        self.differences.append(replace(difference, consequence=follows))


def _word(decision: Decision) -> str:
    if isinstance(decision, Allow):
        return "allow"
    return "ask" if isinstance(decision, Ask) else "deny"


def _declined(step: Step) -> bool:
    """Refused by a person, not by the policy: what the policy said then stands in the row that asked."""
    return step.asked is not None and step.end is not None and step.end.kind is Kind.REFUSED
