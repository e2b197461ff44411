"""Performs one operation at a provider: the only client there is for connected accounts.

It renders the request the catalogue describes, has the token attached inside the send, and hands back only what the
operation keeps. It repeats a call only where repeating does no harm; where a call may have happened unseen it says so.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from integrations.broker._call import Call, Sending, extra_of, headers_of
from integrations.broker._pace import Pace
from integrations.broker._sending import Came, Failed, send
from integrations.broker.calls import Account, Keeper, Reply, label_of
from integrations.broker.connectors import Connector, Declared
from integrations.broker.guard import Network
from integrations.catalogue import implied
from integrations.catalogue.arguments import checked
from integrations.catalogue.model import Operation, Provider
from integrations.catalogue.projecting import next_page, project
from integrations.errors import (
    AnswerRefused,
    HostRefused,
    NeedsReconnecting,
    OperationUnknown,
    ProviderBusy,
    ProviderRefused,
    ReadOnlyConnection,
    ScopeMissing,
)
from integrations.grants import Usable
from integrations.oauth.sending import retry_after
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError, OutcomeUnknown
from joule.kernel.ids import DecisionId

TRIES = 3  # of a call that may be repeated
PATIENCE = 5.0  # seconds it will wait in all for one call; past that it is the caller who waits
FIRST_WAIT = 0.2  # seconds, doubled with each try, drawn at random below that
LONGEST_HOLD = 900.0  # seconds a provider can keep one connection from asking

Pause = Callable[[float], Awaitable[None]]


@dataclass(kw_only=True)
class _Course:
    """How far one call has come. `unsure`: one of its tries may have been performed although no good answer came."""

    tries: int = 0
    waited: float = 0.0
    refreshed: bool = False
    unsure: bool = False


class Broker:
    """One process's way out. `close` it with its event loop."""

    def __init__(
        self,
        *,
        network: Network,
        keeper: Keeper,
        clock: Clock,
        pause: Pause = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._network, self._keeper, self._clock = network, keeper, clock
        self._pause, self._chance = pause, chance
        self._pace = Pace(clock=clock)

    async def call(
        self,
        account: Account,
        provider: Provider,
        operation: Operation,
        arguments: Mapping[str, Any],
        *,
        decision: DecisionId,
        connector: Connector | None = None,
        held: Usable | None = None,
    ) -> Reply:
        """What the provider answers, projected and labelled. `connector`: whose code performs it, where it needs any.

        `held` is the connection as the caller has read it for this call a moment ago: its first request trusts that.

        Raises `ArgumentsRefused`, `HostRefused`, `ScopeMissing`, `ReadOnlyConnection`, `OperationUnknown` or
        `Misconfigured` before anything is sent; whatever the keeper of tokens raises; `ProviderBusy`,
        `NeedsReconnecting`, `ScopeMissing`, `ProviderRefused`, `AnswerRefused`; and `OutcomeUnknown` when a call that
        must not be repeated may have been performed.
        """
        found = await self._keeper.usable(
            account.org, account.connection, decision=decision, epoch=account.epoch, held=held
        )
        _check(account, provider, operation, found)
        given = checked(operation, arguments)
        sending = Sending(
            tenant_host=found.tenant,
            provider=provider,
            operation=operation,
            answered=lambda request, part: self._answered(
                Call(
                    account=account,
                    decision=decision,
                    provider=provider,
                    operation=operation,
                    request=request,
                    headers=headers_of(operation, decision, part),
                    extra=extra_of(account, provider),
                ),
                found if part == 0 else None,
            ),
        )
        value = await (connector or Declared(provider)).perform(operation, given, sending)
        kept = project(operation, value)
        return Reply(
            status=sending.status,
            data=json.dumps(kept.kept, ensure_ascii=False, separators=(",", ":")),
            next_page=next_page(operation, value, given),
            cut=kept.cut,
            label=label_of(account, provider, operation),
        )

    async def close(self) -> None:
        await self._network.close()

    async def _answered(self, one: Call, found: Usable | None) -> Came:
        course = _Course()
        try:
            return await self._tried(one, found, course)
        except JouleError:
            if course.unsure:  # an earlier try of this call may have been performed
                raise OutcomeUnknown(one.words) from None
            raise

    async def _tried(self, one: Call, found: Usable | None, course: _Course) -> Came:
        while True:
            if await self._turn(one, course) or found is None:
                found = await self._again(one)
            outcome = await send(
                self._network,
                one.provider,
                one.request,
                token=found.tokens.access_token,
                extra=one.extra,
                headers=one.headers,
                answer_headers=one.operation.answer_headers,
            )
            course.tries += 1
            meaning = one.meaning_of(outcome)
            if meaning is None and isinstance(outcome, Came):
                return outcome
            course.unsure = course.unsure or one.unsure_after(outcome)
            if meaning == "reconnect" and not course.refreshed:
                course.refreshed = True
                found = await self._again(one, stale=found.generation)
            elif meaning == "busy" and course.tries < TRIES and one.may_repeat(outcome):
                await self._rest(one, course, outcome)
                found = None  # anew before each try, so that a revoke in between is seen
            else:
                self._end(one, outcome, meaning or "refused")

    async def _again(self, one: Call, *, stale: int | None = None) -> Usable:
        """The token anew before each try, so that a revoke in between is seen."""
        account = one.account
        return await self._keeper.usable(
            account.org, account.connection, decision=one.decision, epoch=account.epoch, stale=stale
        )

    async def _turn(self, one: Call, course: _Course) -> bool:
        """Wait until this connection may be asked again; whether that took any time. Raises `ProviderBusy` for too long."""
        waited = False
        while (wait := self._pace.take(one.account.connection, one.operation.id, one.operation.rate)) > 0:
            if course.waited + wait > PATIENCE:
                raise ProviderBusy(one.provider.title, reason="rate_limit", retry_after=wait)
            course.waited, waited = course.waited + wait, True
            await self._pause(wait)
        return waited

    async def _rest(self, one: Call, course: _Course, outcome: Came | Failed) -> None:
        """Wait before another try: as long as the provider said, else a random while that doubles."""
        told = self._told_to_wait(outcome)
        if told is not None:
            self._pace.hold(one.account.connection, told)
            return  # the next turn waits, or gives up
        wait = FIRST_WAIT * 2 ** (course.tries - 1) * self._chance()
        course.waited += wait
        await self._pause(wait)

    def _told_to_wait(self, outcome: Came | Failed) -> float | None:
        if isinstance(outcome, Failed):
            return None
        told = retry_after(outcome.retry_after, now=self._clock.now())
        return None if told is None else min(told, LONGEST_HOLD)

    def _end(self, one: Call, outcome: Came | Failed, meaning: str) -> NoReturn:
        title = one.provider.title
        if isinstance(outcome, Failed):
            if outcome.kind == "host":
                raise HostRefused(title, reason=outcome.reason)
            if outcome.kind == "answer":
                raise AnswerRefused(title, reason=outcome.reason)
            raise ProviderBusy(title, reason="line_broken")
        if meaning == "busy":
            told = self._told_to_wait(outcome)
            if told is not None:
                self._pace.hold(one.account.connection, told)
            raise ProviderBusy(title, reason=f"status_{outcome.status}", retry_after=told)
        if meaning == "reconnect":
            raise NeedsReconnecting(title)
        if meaning == "scope":
            scopes = one.scopes_named(outcome)
            raise ScopeMissing(one.provider.id, scopes, connection=str(one.account.connection), title=title)
        if 200 <= outcome.status < 300 and not outcome.readable:
            raise AnswerRefused(title, reason="it is not JSON")
        raise ProviderRefused(
            title, status=outcome.status, reason="no such thing" if meaning == "missing" else "refused"
        )


def _check(account: Account, provider: Provider, operation: Operation, found: Usable) -> None:
    """Whether this connection may be used for this at all: asked where the token is, whoever asked before."""
    if found.provider != provider.id or operation.id not in provider.operations:
        raise OperationUnknown()
    if found.read_only and operation.effect != "read":
        raise ReadOnlyConnection(provider.title)
    lacks = implied.missing(provider, operation, found.granted)
    if lacks:
        raise ScopeMissing(provider.id, lacks, connection=str(account.connection), title=provider.title)
