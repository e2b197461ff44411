"""The only way from a wish to an effect: decide, write it down, and only then let it happen.

Nothing here is optional and nothing switches it off. A call that has an end on record is answered from the record; a
call is otherwise decided, journalled and performed under a permit nobody else can make. Doubt refuses.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar, cast
from uuid import UUID

from joule.governance import _step_up, approvals
from joule.governance._performance import Performance, dump
from joule.governance._wish import own
from joule.governance.approvals import Answer, Asked
from joule.governance.decision import Ask, Decision, Deny, Facts
from joule.governance.ends import again
from joule.governance.facts import facts_of, ids_in, resource_of
from joule.governance.flow import provenance_of
from joule.governance.policy import UNDECIDED, Policy
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import ApprovalNeeded, GrantMissing, OutcomeUnknown, Refused, Stopped
from joule.kernel.handler import Handler, Method
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.permit import Permits
from joule.kernel.principal import Via
from joule.kernel.stop import Stop
from traces.errors import RecordingDiffers
from traces.journal import TaskJournal
from traces.recording import Step
from traces.records import Kind, Row

R = TypeVar("R")
_UNKNOWN = Deny(policies=(), reason="no policy allows this", advice="")
_FOREIGN = Deny(policies=(), reason="it is not about this organisation", advice="")


class Gate:
    """The policy enforcement point of one process. Give it a task's journal and it performs that task's actions."""

    def __init__(self, *, policy: Policy, permits: Permits, handlers: Iterable[Handler], clock: Clock) -> None:
        self.policy, self.permits, self.clock = policy, permits, clock
        self.methods: dict[type[Action[Any]], Method] = {}
        for handler in handlers:
            self.methods.update(handler.methods())

    def over(self, journal: TaskJournal, *, words: str = "", stop: Stop | None = None, behind: str = "") -> "TaskGate":
        """The gate for one task. `words` is all the person wrote in this conversation, `behind` what its code runs behind."""
        return TaskGate(self, journal, words=words, stop=stop, behind=behind)


class TaskGate:
    """The gate over one task's journal."""

    def __init__(self, gate: Gate, journal: TaskJournal, *, words: str, stop: Stop | None, behind: str) -> None:
        self.journal, self._behind = journal, behind or "none"
        self._gate, self._words, self._stop = gate, words, stop or Stop()
        self._minted: set[UUID] = set()
        self._calls: dict[str, asyncio.Lock] = {}

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
        asked = await self._asked(action, call, about, step)
        facts = self._facts(action, approved=asked is not None)
        decision = self._decide(action, facts)
        about = {**about, "facts": facts, "policies": list(decision.policies), "bundle": self._gate.policy.digest}
        if isinstance(decision, Deny):
            await self._refuse(action, call, about, decision)
        if isinstance(decision, Ask):
            await self._ask(action, call, about, decision)
        gate, method = self._gate, self._gate.methods[type(action)]
        performance = Performance(journal=self.journal, permits=gate.permits, clock=gate.clock, stop=self._stop)
        try:
            result = await performance.of(action, method, call=call, about=about, approval=asked)
        except GrantMissing as lacking:
            if action.principal.via is not Via.AGENT:
                raise
            at, policies = gate.clock.now(), gate.policy.digest
            await _step_up.ask(self.journal, action, call, about, lacking, spent=asked, policies=policies, at=at)
        self._minted.update(ids_in(result))
        return cast(R, result)

    def _decide(self, action: Action[Any], facts: Facts) -> Decision:
        """What the policies say. Whatever keeps them from saying it, the answer is no."""
        if type(action) not in self._gate.methods:
            return _UNKNOWN
        if action.principal.org != self.journal.org:
            return _FOREIGN
        try:
            who, about = str(action.principal.person), resource_of(action)
            return self._gate.policy.decide(action.name, principal=who, resource=about, facts=facts)
        except Exception:  # noqa: BLE001 - there is no failure of a policy that allows anything
            return UNDECIDED

    async def _lacking(self, action: Action[Any], call: str, about: Mapping[str, Any], step: Step) -> None:
        """Raises while a connected account's permission for this call is waited for, or when nobody would give it."""
        if step.lacking is not None:
            at = self._gate.clock.now()
            if denied := await _step_up.answered(self.journal, action, call, step.lacking, at=at):
                await self._refuse(action, call, about, denied)

    async def _asked(self, action: Action[Any], call: str, about: Mapping[str, Any], step: Step) -> Asked | None:
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
        bound = approvals.bind(self.journal.keyring, action, policies=self._gate.policy.digest)
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

    async def _ask(self, action: Action[Any], call: str, about: Mapping[str, Any], decision: Ask) -> NoReturn:
        approval = new_id()
        why = {"reason": decision.reason, "advice": decision.advice, "relevant": dict(action.relevant())}
        async with self.journal.transaction() as transaction:
            await approvals.ask(
                transaction.session,
                org=self.journal.org,
                approval=approval,
                task=self.journal.task,
                decision=DecisionId(new_id()),
                call=call,
                action=action.name,
                binding=approvals.bind(self.journal.keyring, action, policies=self._gate.policy.digest),
                at=self._gate.clock.now(),
            )
            await transaction.write(
                Kind.ASKED,
                call=call,
                attrs={**about, "decision": "ask", "approval_id": str(approval)},
                content={"args": action.arguments(whole=True), "why": why},
            )
        raise ApprovalNeeded(action.name, reason=decision.reason, policies=decision.policies, advice=decision.advice)

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
