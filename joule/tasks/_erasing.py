"""Erases what was said: rows, queued work, keys of traces, and what other rooms made from it. All in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from joule.database.engine import WriteSession
from joule.database.following import Follower
from joule.governance import approvals
from joule.kernel.ids import OrgId, TaskId, ThreadId
from joule.kernel.permit import Permit
from joule.tasks import _store, queries
from joule.tasks._titles import title_of
from joule.tasks.dispatch import Dispatcher
from joule.tasks.tables import TaskRow, ThreadRow
from joule.vault.vault import Vault

EMPTY_TITLE = "Chat"  # of a conversation whose first message's words are erased


@dataclass(frozen=True, kw_only=True)
class Erasing:
    """One erasure, with its permit. A run under way finds its key shredded and its row gone, and ends."""

    permit: Permit
    session: WriteSession
    org: OrgId
    vault: Vault
    dispatcher: Dispatcher
    followers: Sequence[Follower]

    async def thread(self, thread: ThreadId) -> tuple[int, int]:
        """A whole conversation: how many tasks that were, and how much that was made from them."""
        tasks = await _store.tasks_of(self.session, self.org, thread)
        await self._end(tasks)
        await _store.delete_thread(self.session, self.org, thread)
        return len(tasks), await self._follow([f"thread:{thread}", *(f"message:{task}" for task in tasks)])

    async def message(self, thread: ThreadRow, row: TaskRow) -> int:
        """One message of a conversation that has others; how much that was made from it.

        A title that was taken from its words is taken from the first message that is left.
        """
        task = TaskId(row.id)
        request, _ = await queries.words_of(self.session, self.vault, row)
        await self._end([task])
        await _store.delete_task(self.session, row)
        await self._rename(thread, request)
        return await self._follow([f"message:{task}"])

    async def _end(self, tasks: Sequence[TaskId]) -> None:
        await self.dispatcher.withdraw(self.session, tasks)
        await approvals.forget(self.session, self.org, tasks)
        for task in tasks:
            await self.vault.shred(self.session, self.org, _store.subject_of(task))
            await _store.tell_workers(self.session, task)

    async def _follow(self, sources: Sequence[str]) -> int:
        counts = [await follow(self.session, self.permit, self.org, sources) for follow in self.followers]
        return sum(sum(each.values()) for each in counts)

    async def _rename(self, thread: ThreadRow, erased: str | None) -> None:
        keyring = await self.vault.keyring(self.session, self.org, create=True)
        title = keyring.open_text(thread.title, row=thread.id, field="title")
        if erased is not None and title != title_of(erased):
            return  # somebody gave it
        left = await _store.tasks_of(self.session, self.org, ThreadId(thread.id))
        first, _ = await queries.words(self.session, self.vault, self.org, left[0])
        named = title_of(first) if first else EMPTY_TITLE
        thread.title = keyring.seal_text(named, row=thread.id, field="title")
        thread.decision_id = self.permit.decision
        await self.session.flush()
