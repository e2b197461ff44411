"""Erases conversations and single messages: their rows, their keys, their queued work and what was made from them.

Runs inside the action that erases. Nothing is erased that is on legal hold; then nothing of the action happens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession
from joule.database.following import Follower
from joule.governance import approvals
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, TaskId, ThreadId
from joule.kernel.permit import Permit
from joule.llm.forgetting import forget_tasks
from joule.tasks import _places, _store, queries
from joule.tasks._titles import title_of
from joule.tasks.dispatch import Dispatcher
from joule.tasks.tables import TaskRow, ThreadRow
from joule.vault.vault import Vault
from traces.ending import erasing, holds
from traces.ending.erasing import Cause

ERASED_TITLE = "Erased message"
UNTITLED = "Chat"  # of a conversation whose first message's words are gone

_AUTHORS = text("SELECT DISTINCT author FROM task WHERE org_id = :org AND id = ANY(:tasks)")
_THREADS_OF = text("SELECT id FROM thread WHERE org_id = :org AND author = :person ORDER BY id FOR UPDATE")
_TASKS_OF = text("SELECT id FROM task WHERE org_id = :org AND author = :person ORDER BY id FOR UPDATE")
_UNENDED = text(
    "UPDATE task SET stop_requested_at = COALESCE(stop_requested_at, :at) WHERE org_id = :org AND id = ANY(:tasks)"
    " AND state IN ('queued', 'running', 'waiting')"
)


@dataclass(frozen=True, kw_only=True)
class Erasing:
    """Erases what this room keeps, with what other rooms made from it."""

    vault: Vault
    clock: Clock
    dispatcher: Dispatcher
    followers: Sequence[Follower]

    async def thread(
        self,
        session: WriteSession,
        permit: Permit,
        org: OrgId,
        thread: ThreadId,
        *,
        by: PersonId | None,
        cause: Cause = Cause.DELETION,
    ) -> tuple[int, int]:
        """Erase a conversation with its rows. How many tasks it had, and how much was made from them. Raises `OnHold`."""
        tasks = await _store.tasks_of(session, org, thread)
        followed = await self._end(
            session, permit, org, tasks, by=by, cause=cause, sources=[f"thread:{thread}"], whole=True
        )
        await _store.delete_thread(session, org, thread)
        return len(tasks), followed

    async def message(
        self, session: WriteSession, permit: Permit, thread: ThreadRow, row: TaskRow, *, by: PersonId | None
    ) -> int:
        """Erase one message of a conversation that has others, its row too; how much was made from it.

        A title that was taken from its words is taken from the first message that is left. Raises `OnHold`.
        """
        org, task = OrgId(row.org_id), TaskId(row.id)
        request, _ = await queries.words_of(session, self.vault, row)
        followed = await self._end(session, permit, org, [task], by=by, cause=Cause.DELETION, whole=True)
        await _store.delete_task(session, row)
        left = await _store.tasks_of(session, org, ThreadId(thread.id))
        first, _ = await queries.words(session, self.vault, org, left[0])
        await self._retitle(session, permit, thread, request, title_of(first) if first else UNTITLED)
        return followed

    async def task(
        self, session: WriteSession, permit: Permit, org: OrgId, task: TaskId, *, by: PersonId | None
    ) -> Mapping[str, int]:
        """Erase what was said in one task. Its place in the conversation stays, without a word.

        Raises `NotFound` or `OnHold`. A run under way finds its key destroyed, and ends.
        """
        row = await _store.task(session, org, task)
        await self._untitle(session, permit, row)
        followed = await self._end(session, permit, org, [task], by=by, cause=Cause.REQUEST)
        return {"tasks": 1, "made_from_them": followed}

    async def of_person(
        self, session: WriteSession, permit: Permit, org: OrgId, person: PersonId, *, by: PersonId | None
    ) -> Mapping[str, int]:
        """Erase every conversation a person began, and what they said in those of others. Raises `OnHold`."""
        await _places.lock(session, org)
        threads = [ThreadId(each) for each in await session.scalars(_THREADS_OF, {"org": org, "person": person})]
        began = [await self.thread(session, permit, org, each, by=by, cause=Cause.REQUEST) for each in threads]
        elsewhere = [TaskId(each) for each in await session.scalars(_TASKS_OF, {"org": org, "person": person})]
        followed = await self._end(session, permit, org, elsewhere, by=by, cause=Cause.REQUEST) if elsewhere else 0
        return {
            "conversations": len(threads),
            "tasks": sum(tasks for tasks, _ in began) + len(elsewhere),
            "made_from_them": sum(made for _, made in began) + followed,
        }

    async def _untitle(self, session: WriteSession, permit: Permit, row: TaskRow) -> None:
        request, _ = await queries.words_of(session, self.vault, row)
        if request is not None:
            thread = await _store.thread(session, OrgId(row.org_id), ThreadId(row.thread_id))
            await self._retitle(session, permit, thread, request, ERASED_TITLE)

    async def _retitle(
        self, session: WriteSession, permit: Permit, thread: ThreadRow, erased: str | None, title: str
    ) -> None:
        """Take a message's words out of the title that was made from them; a title somebody gave stays."""
        keyring = await self.vault.keyring(session, OrgId(thread.org_id))
        was = keyring.open_text(thread.title, row=thread.id, field="title")
        if erased is not None and was != title_of(erased):
            return
        thread.title = keyring.seal_text(title, row=thread.id, field="title")
        thread.decision_id = permit.decision
        await session.flush()

    async def author(self, session: AsyncSession, org: OrgId, task: TaskId) -> PersonId:
        """Whose task it is. Raises `NotFound`."""
        found = await session.scalar(_AUTHORS, {"org": org, "tasks": [task]})
        if found is None:
            raise NotFound("task")
        return PersonId(found)

    async def _end(
        self,
        session: WriteSession,
        permit: Permit,
        org: OrgId,
        tasks: Sequence[TaskId],
        *,
        by: PersonId | None,
        cause: Cause,
        sources: Sequence[str] = (),
        whole: bool = False,
    ) -> int:
        authors = list(await session.scalars(_AUTHORS, {"org": org, "tasks": list(tasks)}))
        await holds.may_end(session, org, persons=authors, tasks=tasks)
        at = self.clock.now()
        await self.dispatcher.withdraw(session, tasks)
        await approvals.forget(session, org, tasks)
        await forget_tasks(session, org, tasks)
        if not whole:  # their rows stay: whoever works on one is told to stop
            await session.execute(_UNENDED, {"org": org, "tasks": list(tasks), "at": at})
        for task in tasks:
            await erasing.erase(
                session,
                self.vault,
                org,
                _store.subject_of(task),
                cause=cause,
                by=by,
                at=at,
                decision=permit.decision,
            )
            await _store.tell_workers(session, task)
        named = [*sources, *(f"message:{task}" for task in tasks)]
        counts = [await follow(session, permit, org, named) for follow in self.followers]
        return sum(sum(each.values()) for each in counts)
