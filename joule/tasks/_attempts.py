"""The two transactions around a run: taking a task, and writing down how its run ended."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from joule.agent.task import Claim, End, Outcome
from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import Fenced, JouleError, NotFound, Unavailable
from joule.kernel.ids import OrgId, PersonId, ProjectId, TaskId, ThreadId
from joule.kernel.principal import Principal, Role, Via
from joule.tasks import _places, _states, _store, queries
from joule.tasks.dispatch import Dispatcher
from joule.tasks.errors import IllegalMove
from joule.tasks.state import State
from joule.tasks.tables import TaskRow
from joule.vault.vault import Vault

RoleOf = Callable[[AsyncSession, OrgId, PersonId], Awaitable[Role]]

HISTORY_EXCHANGES = 20
HISTORY_CHARACTERS = 40_000
MOST_CRASHES = 20  # runs in a row that ended without a word, before a task is taken for the cause

_STATES = {
    End.DONE: State.DONE,
    End.WAITING: State.WAITING,
    End.FAILED: State.FAILED,
    End.STOPPED: State.STOPPED,
}


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Takes tasks for one worker and gives them back. `worker` names it in the rows."""

    database: Database
    vault: Vault
    clock: Clock
    dispatcher: Dispatcher
    role_of: RoleOf
    erased: queries.Erased
    places: int
    worker: str

    async def take(self, org: OrgId, task: TaskId) -> Claim | None:
        """The next attempt of a task, or None when there is nothing to run: ended, deleted, paused or parked.

        A task whose words cannot be opened, whose author is gone, or whose runs keep dying fails here.
        """
        async with self.database.write(org) as session:
            await _places.lock(session, org)
            if not await _places.is_free(session, org, task, limit=self.places):
                return None
            now = self.clock.now()
            attempt = await _states.claim(session, org, task, worker=self.worker, at=now)
            if attempt is None:
                return None
            row = await _store.task(session, org, task)
            if row.crashes >= MOST_CRASHES:
                await self._end(session, org, task, attempt, State.FAILED, at=now, code="task.crashes")
                return None
            try:
                return await self._claim(session, row, attempt)
            except Unavailable:
                raise
            except JouleError as problem:
                await self._end(session, org, task, attempt, State.FAILED, at=now, code=problem.code)
                return None

    async def _claim(self, session: WriteSession, row: TaskRow, attempt: int) -> Claim:
        org, task, author = OrgId(row.org_id), TaskId(row.id), PersonId(row.author)
        role = await self.role_of(session, org, author)
        keyring = await self.vault.keyring(session, org, _store.subject_of(task))
        claim = Claim(
            org=org,
            task=task,
            thread=ThreadId(row.thread_id),
            project=ProjectId(row.project_id),
            principal=Principal(org=org, person=author, role=role, via=Via.AGENT),
            retention=row.retention,
            attempt=attempt,
            request=keyring.open_text(row.request, row=row.id, field="request"),
            label=_store.LABEL.validate_python(row.label),
            history=await queries.history(
                session,
                self.vault,
                org,
                task,
                most=HISTORY_EXCHANGES,
                characters=HISTORY_CHARACTERS,
                erased=self.erased,
            ),
        )
        if row.stop_requested_at is not None:
            claim.stop.set()
        return claim

    async def finish(self, claim: Claim, outcome: Outcome) -> None:
        """Write down how the run ended. Raises `Fenced` when a newer attempt holds the task, or it was deleted.

        From its end on the row's label is that of the answer as well: of the request, and of all that was read for it.
        """
        async with self.database.write(claim.org) as session:
            await _places.lock(session, claim.org)
            row = await self._still_held(session, claim)
            if outcome.end is End.WAITING and row.stop_requested_at is not None:
                outcome = Outcome(end=End.STOPPED)
            if outcome.end is End.WAITING and row.answered:
                await self._requeue(session, claim)
                return
            if outcome.label is not None and outcome.end is not End.WAITING:
                row.label = _store.LABEL.dump_python(outcome.label, mode="json")
                await session.flush()
            answer = await self._sealed(session, claim, outcome.answer)
            code = (outcome.code or "task.failed") if outcome.end is End.FAILED else None
            state, now = _STATES[outcome.end], self.clock.now()
            await self._end(session, claim.org, claim.task, claim.attempt, state, at=now, code=code, answer=answer)

    async def hand_back(self, claim: Claim) -> None:
        """Give a task that was not finished to another worker. Raises `Fenced` when one has it already."""
        async with self.database.write(claim.org) as session:
            await _places.lock(session, claim.org)
            await self._still_held(session, claim)
            await self._requeue(session, claim)

    async def give_up(self, org: OrgId, task: TaskId) -> None:
        """Fail a task that cannot even be taken. Does nothing when it has ended meanwhile."""
        async with self.database.write(org) as session:
            await _places.lock(session, org)
            with suppress(NotFound, IllegalMove):
                await _states.move(session, org, task, State.FAILED, at=self.clock.now(), code="task.crashed")
            await _places.share_out(session, org, self.dispatcher, limit=self.places)

    async def _still_held(self, session: WriteSession, claim: Claim) -> TaskRow:
        try:
            row = await _store.task(session, claim.org, claim.task)
        except JouleError:
            raise Fenced() from None
        if row.attempt != claim.attempt:
            raise Fenced()
        return row

    async def _requeue(self, session: WriteSession, claim: Claim) -> None:
        now = self.clock.now()
        await _states.move(session, claim.org, claim.task, State.QUEUED, at=now, attempt=claim.attempt)
        await self.dispatcher.enqueue(session, claim.org, claim.task)

    async def _sealed(self, session: WriteSession, claim: Claim, answer: str | None) -> bytes | None:
        if answer is None:
            return None
        keyring = await self.vault.keyring(session, claim.org, _store.subject_of(claim.task))
        return keyring.seal_text(answer, row=claim.task, field="answer")

    async def _end(
        self,
        session: WriteSession,
        org: OrgId,
        task: TaskId,
        attempt: int,
        state: State,
        *,
        at: datetime,
        code: str | None = None,
        answer: bytes | None = None,
    ) -> None:
        await _states.move(session, org, task, state, at=at, attempt=attempt, code=code, answer=answer)
        await _places.share_out(session, org, self.dispatcher, limit=self.places)
