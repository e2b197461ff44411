"""Performs one allowed action in the order its kind of effect asks for.

Reads and model calls: rows ride along. Internal effects: rows and effect in one transaction. Outside effects: INTENT is
durable before, RESULT is flushed at once after, and an end that was not seen is recorded as unknown.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from joule.database.engine import WriteSession
from joule.governance import approvals
from joule.governance.approvals import Asked
from joule.governance.errors import Unexpected
from joule.governance.flow import Provenance
from joule.kernel.action import Action, Effect, result_codec
from joule.kernel.clock import Clock
from joule.kernel.errors import (
    Fenced,
    GrantMissing,
    JouleError,
    JournalDown,
    OutcomeUnknown,
    Refused,
    Stopped,
)
from joule.kernel.handler import Method
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.permit import Permit, Permits
from joule.kernel.principal import Via
from joule.kernel.stop import Stop
from traces.ending import holds
from traces.journal import TaskJournal
from traces.records import Kind


def dump(problem: JouleError) -> dict[str, str]:
    """An error as the journal keeps it."""
    return {"message": str(problem), "advice": problem.advice()}


@dataclass(frozen=True, kw_only=True)
class _Doing:
    """One call that is allowed: what is done, under which leave, and what its rows say."""

    action: Action[Any]
    method: Method
    permit: Permit
    call: str
    intent: Mapping[str, Any]  # the row that comes before
    about: Mapping[str, Any]  # attributes of the row that comes after
    approval: Asked | None


class Performance:
    """One task's way of performing."""

    def __init__(self, *, journal: TaskJournal, permits: Permits, clock: Clock, stop: Stop) -> None:
        self._journal, self._permits, self._clock, self._stop = journal, permits, clock, stop

    async def of(
        self,
        action: Action[Any],
        method: Method,
        *,
        call: str,
        about: Mapping[str, Any],
        approval: Asked | None,
    ) -> Any:
        """Perform `action`. Whatever it raises has been recorded first, unless the journal itself is what failed."""
        permit = self._permits.issue(
            action,
            decision=DecisionId(new_id()),
            task=self._journal.task,
            own_words=about["facts"]["provenance"] == Provenance.WORDS,
            approved=approval is not None,
            boundary=about["facts"]["boundary"],
            progress=self._progress(call),
        )
        doing = _Doing(
            action=action,
            method=method,
            permit=permit,
            call=call,
            intent={
                "call": call,
                "attrs": {**about, "decision": "allow", "decision_id": str(permit.decision)},
                "content": {"args": action.arguments()},
            },
            about={name: about[name] for name in ("action", "effect", "binding", "tool") if name in about},
            approval=approval,
        )
        try:
            return await (self._internal(doing) if action.effect.is_internal else self._other(doing))
        except (Fenced, JournalDown, Stopped):
            raise
        except JouleError as problem:
            if isinstance(problem, GrantMissing) and action.principal.via is Via.AGENT:
                raise  # no end: the gate writes down that the task waits for the permission
            await self._fail(doing, problem)
            raise
        except Exception as problem:
            unexpected = Unexpected(action.name)
            await self._fail(doing, unexpected)
            raise unexpected from problem
        finally:
            self._permits.withdraw(permit)

    async def _internal(self, doing: _Doing) -> Any:
        started = perf_counter_ns()
        async with self._journal.transaction() as transaction:
            await self._spend(transaction.session, doing)
            who = doing.action.principal
            if doing.action.effect is Effect.DELETE and who.via is not Via.SYSTEM:  # upkeep looks for itself
                await holds.may_delete(transaction.session, who.org, who.person)
            await transaction.write(Kind.INTENT, **doing.intent)
            result = await doing.method(doing.permit, doing.action, transaction.session)
            await transaction.write(Kind.RESULT, **self._result(doing, result, started))
        return result

    async def _other(self, doing: _Doing) -> Any:
        is_outside = doing.action.effect.is_outside
        if doing.approval is not None:
            async with self._journal.transaction() as transaction:
                await self._spend(transaction.session, doing)
                await transaction.write(Kind.INTENT, **doing.intent)
        elif is_outside:
            await self._journal.write(Kind.INTENT, **doing.intent)
        else:
            self._journal.note(Kind.INTENT, **doing.intent)
        started = perf_counter_ns()
        result = await (self._seen(doing) if is_outside else self._until_stopped(doing))
        try:
            self._journal.note(Kind.RESULT, **self._result(doing, result, started))
        except (Fenced, JournalDown):
            raise
        except Exception as problem:
            if not is_outside:
                raise
            # It did happen; what came of it cannot be written down.
            raise OutcomeUnknown(doing.action.name) from problem
        if is_outside:
            self._journal.flush_soon()
        return result

    async def _seen(self, doing: _Doing) -> Any:
        """The result of an outside effect. Cut off in the middle, its end is recorded as unknown."""
        try:
            return await doing.method(doing.permit, doing.action)
        except asyncio.CancelledError:
            await asyncio.shield(self._write_failure(doing, OutcomeUnknown(doing.action.name)))
            raise

    async def _until_stopped(self, doing: _Doing) -> Any:
        """The result of an effect that changes nothing, given up as soon as the task is stopped."""
        working = asyncio.current_task()
        if working is None or self._stop.is_set():
            raise Stopped()
        try:
            with self._stop.calling(working.cancel):
                return await doing.method(doing.permit, doing.action)
        except asyncio.CancelledError:
            if not self._stop.is_set() or working.uncancel() > 0:
                raise  # somebody else ends this run
            raise Stopped() from None

    async def _spend(self, session: WriteSession, doing: _Doing) -> None:
        approval = doing.approval
        if approval is None:
            return
        spent = await approvals.spend(
            session, org=self._journal.org, approval=approval.id, binding=approval.binding, at=self._clock.now()
        )
        if not spent:
            raise Refused(doing.action.name, reason="the approval has been used already, or has lapsed")

    async def _fail(self, doing: _Doing, problem: JouleError) -> None:
        if doing.action.effect.is_internal:  # the transaction took its INTENT along
            self._journal.note(Kind.INTENT, **doing.intent)
        await self._write_failure(doing, problem)

    async def _write_failure(self, doing: _Doing, problem: JouleError) -> None:
        attrs = {**doing.about, "code": problem.code}
        await self._journal.write(Kind.FAILED, call=doing.call, attrs=attrs, content={"error": dump(problem)})

    def _result(self, doing: _Doing, result: Any, started: int) -> dict[str, Any]:
        took = (perf_counter_ns() - started) // 1000
        return {
            "call": doing.call,
            "attrs": {**doing.about, **doing.action.measures(result), "duration_us": took},
            "content": {"result": result_codec(type(doing.action)).dump_python(result, mode="json")},
        }

    def _progress(self, call: str) -> Any:
        async def progress(text: str) -> None:
            if self._stop.is_set():
                raise Stopped()
            self._journal.note(Kind.TEXT, call=call, content={"text": text})
            self._journal.flush_soon()

        return progress
