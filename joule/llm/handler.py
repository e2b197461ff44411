"""Asks the configured model, and writes down that it was asked.

One call goes to one recipient, the one the operator chose: there is no second provider to fall back to. What is sent
again after a failure is sent to the same recipient, and only while the person has seen nothing of the answer.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from joule.database.engine import Database
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.handler import Method
from joule.kernel.ids import new_id
from joule.kernel.permit import Admission, Permit
from joule.llm._answer import Answer
from joule.llm._pace import Pace
from joule.llm.actions import Embed, Embedded, Generate, Generation
from joule.llm.errors import ModelUnavailable, NoEmbeddings
from joule.llm.prices import Prices
from joule.llm.providers.base import ChatModel, EmbeddingModel, ModelRequest
from joule.llm.tables import LlmCall
from joule.vault.vault import Vault

PAUSES = (0.5, 2.0)  # seconds before the second and the third try
LONGEST_PAUSE = 20.0  # a provider that asks for more than this has said: not now

R = TypeVar("R")


class _Call:
    """What is known about one call while it runs."""

    def __init__(self, *, model: ChatModel | EmbeddingModel, prices: Prices) -> None:
        self.model, self.prices = model, prices
        self._seconds = time.monotonic
        self._started = self._seconds()
        self.attempts = 0
        self.input_tokens = self.output_tokens = 0
        self.first_text_us: int | None = None
        self.outcome = "stopped"  # what is true if nobody gets to say otherwise

    def elapsed_us(self) -> int:
        return max(0, int((self._seconds() - self._started) * 1_000_000))


class LanguageModelHandler:
    """The only way to a language model."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        model: ChatModel,
        prices: Prices | None = None,
        embeddings: EmbeddingModel | None = None,
        embedding_prices: Prices | None = None,
        silence_seconds: float = 60.0,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        """`silence_seconds` is how long the provider may say nothing; `pauses` how long to wait before each retry."""
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._model, self._prices = model, prices or Prices()
        self._embeddings, self._embedding_prices = embeddings, embedding_prices or Prices()
        self._silence, self._pauses = silence_seconds, pauses

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {Generate: self.generate, Embed: self.embed}

    async def generate(self, permit: Permit, action: Generate) -> Generation:
        self._admission.admit(permit, action)
        call = _Call(model=self._model, prices=self._prices)
        return await self._logged(permit, action, call, self._ask_patiently(permit, action, call))

    async def embed(self, permit: Permit, action: Embed) -> Embedded:
        self._admission.admit(permit, action)
        if self._embeddings is None:
            raise NoEmbeddings
        call = _Call(model=self._embeddings, prices=self._embedding_prices)
        return await self._logged(permit, action, call, self._embed_patiently(self._embeddings, action, call))

    async def _logged(self, permit: Permit, action: Action[Any], call: _Call, asking: Awaitable[R]) -> R:
        """The answer; whatever becomes of the call is written down."""
        try:
            answer = await asking
        except (Exception, asyncio.CancelledError) as problem:
            if isinstance(problem, Exception):
                call.outcome = problem.code if isinstance(problem, JouleError) else "failed"
            with suppress(JouleError):  # the call's own failure is what the task must hear of
                await self._log(permit, action, call)
            raise
        call.outcome = "done"
        await self._log(permit, action, call)
        return answer

    async def _embed_patiently(self, model: EmbeddingModel, action: Embed, call: _Call) -> Embedded:
        for pause in (*self._pauses, None):
            call.attempts += 1
            try:
                batch = await model.embed(action.texts, aim=action.aim)
            except ModelUnavailable as problem:
                wait = max(pause or 0.0, problem.retry_after or 0.0)
                if pause is None or wait > LONGEST_PAUSE:
                    raise
                await asyncio.sleep(wait)
                continue
            call.input_tokens += batch.input_tokens
            return Embedded(
                vectors=batch.vectors,
                model=model.model,
                provider=model.provider,
                input_tokens=call.input_tokens,
                spend_micros=call.prices.of(call.input_tokens, 0),
                label=action.label,
            )
        raise AssertionError("the last try either returns or raises")

    async def _ask_patiently(self, permit: Permit, action: Generate, call: _Call) -> Generation:
        for pause in (*self._pauses, None):
            pace = Pace(progress=permit.progress, seconds=time.monotonic)
            try:
                return await self._ask(action, call, pace)
            except ModelUnavailable as problem:
                wait = max(pause or 0.0, problem.retry_after or 0.0)
                if pause is None or pace.has_spoken or wait > LONGEST_PAUSE:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError("the last try either returns or raises")

    async def _ask(self, action: Generate, call: _Call, pace: Pace) -> Generation:
        call.attempts += 1
        answer = Answer(provider=self._model.provider, model=self._model.model)
        request = ModelRequest(messages=action.messages, tools=action.tools)
        pieces = self._model.stream(request)
        silent = False
        try:
            async with aclosing(pieces):
                while True:
                    async with asyncio.timeout(self._silence):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    answer.add(piece)
                    if piece.text and call.first_text_us is None:
                        call.first_text_us = call.elapsed_us()
                    await pace.say(piece.text)
        except TimeoutError:
            silent = True
        finally:
            call.input_tokens += answer.input_tokens
            call.output_tokens += answer.output_tokens
            await pace.flush()
        if silent:
            raise ModelUnavailable(self._model.provider, reason="it has been silent for too long")
        spend = self._prices.of(call.input_tokens, call.output_tokens)
        return answer.whole(label=action.label, spend_micros=spend)

    async def _log(self, permit: Permit, action: Action[Any], call: _Call) -> None:
        """One row in a transaction of its own: the gate opens none for a call that changes nothing of ours."""
        org = action.principal.org
        async with self._database.write(org) as session:
            keyring = await self._vault.keyring(session, org, create=True)
            session.add(
                LlmCall(
                    org_id=org,
                    id=new_id(),
                    decision_id=permit.decision,
                    task_id=permit.task,
                    at=self._clock.now(),
                    provider=call.model.provider,
                    model=call.model.model,
                    recipient=call.model.recipient,
                    request_commitment=keyring.commitment("llm.request", action.binding()),
                    attempts=call.attempts,
                    input_tokens=call.input_tokens,
                    output_tokens=call.output_tokens,
                    duration_us=call.elapsed_us(),
                    first_text_us=call.first_text_us,
                    spend_micros=call.prices.of(call.input_tokens, call.output_tokens),
                    outcome=call.outcome,
                )
            )
