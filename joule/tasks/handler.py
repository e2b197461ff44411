"""Does what people ask of threads and tasks.

A task, its data key, its sealed words and its job are made in one transaction: all of them exist, or none.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession
from joule.database.following import Follower
from joule.governance import approvals
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.handler import Method
from joule.kernel.ids import OrgId, PersonId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.permit import Admission, Permit
from joule.kernel.principal import Principal, Role
from joule.tasks import _places, _states, _store, _titles, granting
from joule.tasks.actions import (
    AnswerApproval,
    Answered,
    DeleteMessage,
    DeleteThread,
    ForgetProject,
    MessageGone,
    ProjectForgotten,
    RenameThread,
    ResumeAfterGrant,
    Resumed,
    Started,
    StartTask,
    Stopping,
    StopTask,
    ThreadGone,
    ThreadRenamed,
)
from joule.tasks.dispatch import Dispatcher
from joule.tasks.erasing import Erasing
from joule.tasks.errors import EmptyRequest, NotYours, RequestTooLong, TaskEnded
from joule.tasks.screening import Screened, Screening
from joule.tasks.state import State
from joule.tasks.tables import TaskRow, ThreadRow
from joule.vault.vault import Vault
from traces import sealing
from traces.ending import rules

MAX_REQUEST = 50_000  # characters

KnownProject = Callable[[AsyncSession, OrgId, ProjectId], Awaitable[bool]]


class TasksHandler:
    """This room's only way in to its effects."""

    def __init__(
        self,
        *,
        admission: Admission,
        clock: Clock,
        vault: Vault,
        dispatcher: Dispatcher,
        known_project: KnownProject,
        screening: Screening,
        places: int,
        retention: str,
        followers: Sequence[Follower],
    ) -> None:
        """`places`: tasks of one organisation that may run at once.

        `retention`: the class of their traces where the organisation has chosen none.
        """
        self._admission, self._clock, self._vault, self._dispatcher = admission, clock, vault, dispatcher
        self._known_project, self._places, self._retention = known_project, places, retention
        self._erasing = Erasing(vault=vault, clock=clock, dispatcher=dispatcher, followers=followers)
        self._screening = screening

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            StartTask: self.start,
            StopTask: self.stop,
            AnswerApproval: self.answer_approval,
            ResumeAfterGrant: self.resume_after_grant,
            RenameThread: self.rename_thread,
            DeleteThread: self.delete_thread,
            DeleteMessage: self.delete_message,
            ForgetProject: self.forget_project,
        }

    async def start(self, permit: Permit, action: StartTask, session: WriteSession) -> Started:
        """Raises `NotFound`, `TaskUnfinished`, `EmptyRequest` or `RequestTooLong`; then nothing was made."""
        self._admission.admit(permit, action)
        org, author = action.principal.org, _person(action.principal)
        said = await self._screening(session, org, _checked(action.text))
        if not await self._known_project(session, org, action.project):
            raise NotFound("project")
        await _places.lock(session, org)
        if action.thread is None:
            thread, follows = await self._open_thread(permit, action, session, author, said.text), None
        else:
            thread = action.thread
            await _store.thread(session, org, thread, action.project)
            follows = await _store.place_in_branch(session, org, action, thread)
        task = TaskId(new_id())
        await self._add_task(permit, action, session, task=task, thread=thread, follows=follows, said=said)
        if await _places.is_free(session, org, task, limit=self._places):
            await self._dispatcher.enqueue(session, org, task)  # else it is queued when its turn comes
        await _store.touch(session, org, thread, self._clock.now())
        return Started(task=task, thread=thread)

    async def stop(self, permit: Permit, action: StopTask, session: WriteSession) -> Stopping:
        """Raises `NotFound`, `NotYours`, or `TaskEnded` for a task that ended in another way."""
        self._admission.admit(permit, action)
        org = action.principal.org
        await _places.lock(session, org)
        row = await _store.task(session, org, action.task)
        _must_be_theirs(action.principal, row.author)
        state = State(row.state)
        if state is State.RUNNING:
            await _store.request_stop(session, org, action.task, self._clock.now())
            return Stopping(task=action.task, at_once=False)
        if state is State.STOPPED:
            return Stopping(task=action.task, at_once=True)
        if state.is_ended:
            raise TaskEnded()
        await _states.move(session, org, action.task, State.STOPPED, at=self._clock.now())
        await self._dispatcher.withdraw(session, [action.task])
        await _places.share_out(session, org, self._dispatcher, limit=self._places)
        return Stopping(task=action.task, at_once=True)

    async def answer_approval(self, permit: Permit, action: AnswerApproval, session: WriteSession) -> Answered:
        """Raises `NotFound`, `NotYours`, `TaskEnded`, or `Conflict` when it was answered before or has lapsed."""
        self._admission.admit(permit, action)
        org, now = action.principal.org, self._clock.now()
        await _places.lock(session, org)
        task = await approvals.task_of(session, org, action.approval)
        row = await _store.task(session, org, task)
        _must_be_theirs(action.principal, row.author)
        state = State(row.state)
        if state.is_ended:
            raise TaskEnded()
        note = None
        if action.note.strip():
            keyring = await sealing.ring(session, self._vault, org, task)  # the journal's: the gate reads it back
            note = keyring.seal_text(action.note.strip(), row=action.approval, field=approvals.NOTE)
        await approvals.answer(
            session, org, action.approval, by=_person(action.principal), approved=action.approved, at=now, note=note
        )
        if state is State.WAITING:
            await _states.move(session, org, task, State.QUEUED, at=now)
            await self._dispatcher.enqueue(session, org, task)
        else:
            await _store.note_answer(session, org, task)
        return Answered(task=task)

    async def resume_after_grant(self, permit: Permit, action: ResumeAfterGrant, session: WriteSession) -> Resumed:
        """Tasks that have ended, and accounts nobody waits for, are no error."""
        self._admission.admit(permit, action)
        org, by, at = action.principal.org, _person(action.principal), self._clock.now()
        going = await granting.go_on(
            session, org, connections=action.connections, by=by, at=at, dispatcher=self._dispatcher
        )
        return Resumed(tasks=going)

    async def rename_thread(self, permit: Permit, action: RenameThread, session: WriteSession) -> ThreadRenamed:
        """Raises `NotFound`, `NotYours`, or `EmptyRequest` for a title without words."""
        self._admission.admit(permit, action)
        org = action.principal.org
        row = await _store.thread(session, org, action.thread)
        _must_be_theirs(action.principal, row.author)
        title = " ".join(action.title.split())[: _titles.LONGEST]
        if not title:
            raise EmptyRequest()
        keyring = await self._vault.keyring(session, org, create=True)
        row.title = keyring.seal_text(title, row=row.id, field="title")
        row.updated_at, row.decision_id = self._clock.now(), permit.decision
        await session.flush()
        return ThreadRenamed(thread=action.thread)

    async def delete_thread(self, permit: Permit, action: DeleteThread, session: WriteSession) -> ThreadGone:
        """Raises `NotFound`, `NotYours` or `OnHold`. A run under way finds its key shredded and its row gone, and ends."""
        self._admission.admit(permit, action)
        org = action.principal.org
        await _places.lock(session, org)
        row = await _store.thread(session, org, action.thread)
        _must_be_theirs(action.principal, row.author)
        tasks, followed = await self._erasing.thread(session, permit, org, action.thread, by=action.principal.person)
        await _places.share_out(session, org, self._dispatcher, limit=self._places)
        return ThreadGone(thread=action.thread, tasks=tasks, followed=followed)

    async def delete_message(self, permit: Permit, action: DeleteMessage, session: WriteSession) -> MessageGone:
        """Raises `NotFound`, `NotYours` or `OnHold`. With its only message a conversation goes too."""
        self._admission.admit(permit, action)
        org = action.principal.org
        await _places.lock(session, org)
        named = await _store.task(session, org, action.task)
        thread = await _store.thread(session, org, ThreadId(named.thread_id))
        _must_be_theirs(action.principal, named.author)
        by, every = action.principal.person, await _store.tasks_of(session, org, ThreadId(thread.id))
        if len(every) == 1:
            _, followed = await self._erasing.thread(session, permit, org, ThreadId(thread.id), by=by)
        else:
            followed = await self._erasing.message(session, permit, thread, named, by=by)
        await _places.share_out(session, org, self._dispatcher, limit=self._places)
        left = None if len(every) == 1 else ThreadId(named.thread_id)
        return MessageGone(task=action.task, thread=left, followed=followed)

    async def forget_project(self, permit: Permit, action: ForgetProject, session: WriteSession) -> ProjectForgotten:
        """A project without threads, or that is gone already, is no error: what is left of it goes."""
        self._admission.admit(permit, action)
        org = action.principal.org
        await _places.lock(session, org)
        threads = await _store.threads_of(session, org, action.project)
        by = action.principal.person
        erased = [await self._erasing.thread(session, permit, org, thread, by=by) for thread in threads]
        await _places.share_out(session, org, self._dispatcher, limit=self._places)
        tasks, followed = (sum(counts) for counts in zip(*erased, strict=True)) if erased else (0, 0)
        return ProjectForgotten(project=action.project, threads=len(threads), tasks=tasks, followed=followed)

    async def _open_thread(
        self, permit: Permit, action: StartTask, session: WriteSession, author: PersonId, request: str
    ) -> ThreadId:
        if action.replaces is not None or action.follows is not None:
            raise NotFound("task")
        thread, now, org = ThreadId(new_id()), self._clock.now(), action.principal.org
        keyring = await self._vault.keyring(session, org, create=True)
        await _store.add(
            session,
            ThreadRow(
                org_id=org,
                id=thread,
                project_id=action.project,
                title=keyring.seal_text(_titles.title_of(request), row=thread, field="title"),
                author=author,
                created_at=now,
                updated_at=now,
                decision_id=permit.decision,
            ),
        )
        return thread

    async def _add_task(
        self,
        permit: Permit,
        action: StartTask,
        session: WriteSession,
        *,
        task: TaskId,
        thread: ThreadId,
        follows: TaskId | None,
        said: Screened,
    ) -> None:
        org = action.principal.org
        label = replace(action.label, categories=action.label.categories | said.categories)
        keyring = await self._vault.keyring(session, org, _store.subject_of(task), create=True)
        await _store.add(
            session,
            TaskRow(
                org_id=org,
                id=task,
                thread_id=thread,
                project_id=action.project,
                author=_person(action.principal),
                follows=follows,
                replaces=action.replaces,
                request=keyring.seal_text(said.text, row=task, field="request"),
                label=_store.LABEL.dump_python(label, mode="json"),
                state=State.QUEUED.value,
                retention=await rules.class_of(session, org, default=self._retention, at=self._clock.now()),
                created_at=self._clock.now(),
                decision_id=permit.decision,
            ),
        )


def _checked(request: str) -> str:
    if not request.strip():
        raise EmptyRequest()
    if len(request) > MAX_REQUEST:
        raise RequestTooLong(len(request), MAX_REQUEST)
    return request.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be stored


def _person(principal: Principal) -> PersonId:
    if principal.person is None:
        raise NotFound("person")
    return principal.person


def _must_be_theirs(principal: Principal, author: Any) -> None:
    if principal.person != author and principal.role not in {Role.OWNER, Role.ADMIN}:
        raise NotYours()
