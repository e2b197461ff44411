"""The only way from a wish to an effect: decide, write it down, and only then let it happen.

Nothing here is optional and nothing switches it off. A call that has an end on record is answered from the record; a
call is otherwise decided, journalled and performed under a permit nobody else can make. Doubt refuses.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar, Unpack, cast
from uuid import UUID

from joule.governance import _asking, _step_up, approvals
from joule.governance._deciding import Circumstances, judged
from joule.governance._performance import Performance, dump
from joule.governance._wish import own
from joule.governance.approvals import Answer, Asked
from joule.governance.decision import Ask, Deny, Facts
from joule.governance.ends import again
from joule.governance.facts import facts_of, ids_in
from joule.governance.flow import provenance_of
from joule.governance.policy import Policy
from joule.governance.rules.rulebook import InForce, Rulebook
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import ApprovalNeeded, GrantMissing, OutcomeUnknown, Refused, Stopped
from joule.kernel.handler import Handler, Method
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permits
from joule.kernel.principal import Via
from joule.kernel.stop import Stop
from traces.errors import RecordingDiffers
from traces.journal import TaskJournal
from traces.recording import Step
from traces.records import Kind, Row

R = TypeVar("R")


class Gate:
    """The policy enforcement point of one process. Give it a task's journal and it performs that task's actions."""

    def __init__(
        self,
        *,
        policy: Policy,
        permits: Permits,
        handlers: Iterable[Handler],
        clock: Clock,
        rulebook: Rulebook | None = None,
    ) -> None:
        """`policy` is what Joule comes with; `rulebook` knows what organisations have of their own."""
        self.policy, self.permits, self.clock, self._rulebook = policy, permits, clock, rulebook
        self.methods: dict[type[Action[Any]], Method] = {}
        for handler in handlers:
            self.methods.update(handler.methods())

    async def in_force(self, org: OrgId) -> InForce:
        """The policies that decide for an organisation now."""
        return await self._rulebook.of(org, self.policy) if self._rulebook else InForce(policy=self.policy)

    def over(self, journal: TaskJournal, *, words: str = "", **with_it: Unpack[Circumstances]) -> "TaskGate":
        """The gate for one task. `words`: all the person wrote in this conversation."""
        return TaskGate(self, journal, words=words, **with_it)


class TaskGate:
    """The gate over one task's journal."""

    def __init__(self, gate: Gate, journal: TaskJournal, *, words: str, **with_it: Unpack[Circumstances]) -> None:
        self.journal, self._behind = journal, with_it.get("behind") or "none"
        self._gate, self._words, self._stop = gate, words, with_it.get("stop") or Stop()
        self._minted: set[UUID] = set()
        self._calls: dict[str, asyncio.Lock] = {}
        self._rules = with_it.get("rules")

    async def perform(self, action: Action[R], *, call: str, tool: str | None = None) -> R:
        """Perform `action` as the task's call `call`, once: the same call again gives its recorded end.

        Raises `Refused`, `ApprovalNeeded` (the run must end and be resumed when a person has answered), `Stopped`,
        `OutcomeUnknown`, `JournalDown`, or whatever the action itself failed with.
        """
        action = own(action)
        async with self._calls.setdefault(call, asyncio.Lock()):
            binding = self.journal.keyring.commitment("call", action.binding())
            step = self.journal.recording.step(call)
            self._expect_same(call, step, binding)
            if step.end is not None:
                return self._recorded(action, step.end)
            about = {"action": action.name, "effect": action.effect.value, "binding": binding.hex()}
            if tool is not None:
                about["tool"] = tool
            if step.intent is not None and action.effect.is_outside and not action.idempotent:
                await self._fail_unknown(action, call, about)
            if self._stop.is_set():
                raise Stopped()
            return await self._decide_and_perform(action, call, about, step)

    async def _decide_and_perform(self, action: Action[R], call: str, about: Mapping[str, Any], step: Step) -> R:
        await self._lacking(action, call, about, step)
        gate, rules = self._gate, await self._in_force()
        asked = await self._asked(action, call, about, step, rules)
        facts = self._facts(action, approved=asked is not None)
        found = judged(action, facts, by=rules, org=self.journal.org, known=type(action) in gate.methods)
        decision, about = found.decision, {**about, **found.about}
        if isinstance(decision, Deny):
            await self._refuse(action, call, about, decision)
        if isinstance(decision, Ask):
            at, policies = gate.clock.now(), rules.policy.digest
            await _asking.ask(self.journal, action, call, about, decision, policies=policies, at=at)
        method = gate.methods[type(action)]
        performance = Performance(journal=self.journal, permits=gate.permits, clock=gate.clock, stop=self._stop)
        try:
            result = await performance.of(action, method, call=call, about=about, approval=asked)
        except GrantMissing as lacking:
            if action.principal.via is not Via.AGENT:
                raise
            at, policies = gate.clock.now(), rules.policy.digest
            await _step_up.ask(self.journal, action, call, about, lacking, spent=asked, policies=policies, at=at)
        self._minted.update(ids_in(result))
        return cast(R, result)

    async def _in_force(self) -> InForce:
        """The policies of the task's organisation, looked up when it begins to act and again every few seconds."""
        if self._rules is None or not self._rules.is_fresh:
            self._rules = await self._gate.in_force(self.journal.org)
        return self._rules

    async def _lacking(self, action: Action[Any], call: str, about: Mapping[str, Any], step: Step) -> None:
        """Raises while a connected account's permission for this call is waited for, or when nobody would give it."""
        if step.lacking is not None:
            at = self._gate.clock.now()
            if denied := await _step_up.answered(self.journal, action, call, step.lacking, at=at):
                await self._refuse(action, call, about, denied)

    async def _asked(
        self, action: Action[Any], call: str, about: Mapping[str, Any], step: Step, rules: InForce
    ) -> Asked | None:
        """The approval this call has been given, if it was ever asked about. Raises while it waits, or was declined."""
        if step.asked is None:
            return None
        approval = UUID(step.asked.attrs["approval_id"])
        async with self.journal.transaction() as transaction:
            asked = await approvals.find(
                transaction.session, org=self.journal.org, approval=approval, at=self._gate.clock.now()
            )
        why = step.asked.content.get("why", {"reason": "a person must agree first", "advice": ""})
        if asked.answer is Answer.WAITING:
            raise ApprovalNeeded(action.name, reason=why["reason"], advice=why["advice"])
        bound = approvals.bind(self.journal.keyring, action, policies=rules.policy.digest)
        if asked.answer is Answer.APPROVED and asked.binding == bound:
            self.journal.note(
                Kind.GIVEN, call=call, attrs={"approval_id": str(approval), "person": str(asked.answered_by)}
            )
            return asked
        self.journal.note(Kind.DECLINED, call=call, attrs={"approval_id": str(approval)})
        reason, advice = approvals.words_of(asked, self.journal.keyring)
        await self._refuse(action, call, about, Deny(policies=(), reason=reason, advice=advice))

    async def _refuse(self, action: Action[Any], call: str, about: Mapping[str, Any], decision: Deny) -> NoReturn:
        why = {"reason": decision.reason, "advice": decision.advice}
        await self.journal.write(
            Kind.REFUSED,
            call=call,
            attrs={**about, "decision": "deny"},
            content={"args": action.arguments(), "why": why},
        )
        raise Refused(action.name, reason=decision.reason, policies=decision.policies, advice=decision.advice)

    async def _fail_unknown(self, action: Action[Any], call: str, about: Mapping[str, Any]) -> NoReturn:
        problem = OutcomeUnknown(action.name)
        await self.journal.write(
            Kind.FAILED, call=call, attrs={**about, "code": problem.code}, content={"error": dump(problem)}
        )
        raise problem

    def _expect_same(self, call: str, step: Step, binding: bytes) -> None:
        for entry in (step.intent, step.asked, step.lacking, step.end):
            if entry is not None and entry.attrs["binding"] != binding.hex():
                raise RecordingDiffers(call)

    def _recorded(self, action: Action[R], end: Row) -> R:
        result = again(action, end)
        self._minted.update(ids_in(result))
        return cast(R, result)

    def _facts(self, action: Action[Any], *, approved: bool) -> Facts:
        came_from = provenance_of(action, words=self._words, minted=self._minted)
        return facts_of(action, provenance=came_from, approved=approved, boundary=self._behind)
