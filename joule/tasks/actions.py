"""All that people can do with threads and tasks.

What a person typed is `content`: the journal of commands binds it and does not hold it, so that deleting a thread
leaves no copy of its words there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from joule.kernel.action import Action, Effect, content
from joule.kernel.ids import ProjectId, TaskId, ThreadId


@dataclass(frozen=True, kw_only=True)
class Started:
    """A task that waits for a worker."""

    task: TaskId
    thread: ThreadId


@dataclass(frozen=True, kw_only=True)
class StartTask(Action[Started]):
    """Send one message: into a new thread, at the end of `thread`, or in place of an earlier message.

    `replaces` starts another branch beside that task (edit and resend, retry); `follows` continues a branch that is
    not the newest one. Without either, the message follows the newest task of the thread.
    """

    name: ClassVar[str] = "tasks.start"
    effect: ClassVar[Effect] = Effect.WRITE

    project: ProjectId
    thread: ThreadId | None = None
    text: str = content()
    replaces: TaskId | None = None
    follows: TaskId | None = None


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """Whether the task has stopped already, or will at its next safe point."""

    task: TaskId
    at_once: bool


@dataclass(frozen=True, kw_only=True)
class StopTask(Action[Stopping]):
    """Ask a task to end. One that no worker holds ends at once. Asking twice is the same as once."""

    name: ClassVar[str] = "tasks.stop"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    task: TaskId


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The task that goes on, now that a person has answered."""

    task: TaskId


@dataclass(frozen=True, kw_only=True)
class AnswerApproval(Action[Answered]):
    """Allow or decline what a waiting task asked for. Either way the task goes on, knowing the answer."""

    name: ClassVar[str] = "tasks.answer_approval"
    effect: ClassVar[Effect] = Effect.ACCESS

    approval: UUID
    approved: bool
    note: str = content(default="")


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """The tasks that go on."""

    tasks: tuple[TaskId, ...]


@dataclass(frozen=True, kw_only=True)
class ResumeAfterGrant(Action[Resumed]):
    """Go on with every task that waited for a permission of these connected accounts, now that it was given.

    It opens nothing: the account says itself what it may do when it is asked again, and if not, the task waits again.
    """

    name: ClassVar[str] = "tasks.resume_after_grant"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    connections: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True)
class ThreadRenamed:
    """The thread that has a new title."""

    thread: ThreadId


@dataclass(frozen=True, kw_only=True)
class RenameThread(Action[ThreadRenamed]):
    """Give a thread another title."""

    name: ClassVar[str] = "tasks.rename_thread"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    thread: ThreadId
    title: str = content()


@dataclass(frozen=True, kw_only=True)
class ThreadGone:
    """How many tasks went with the thread, each with its key, and how much that was made from its messages."""

    thread: ThreadId
    tasks: int
    followed: int = 0


@dataclass(frozen=True, kw_only=True)
class DeleteThread(Action[ThreadGone]):
    """Delete a thread for good: its rows go, its tasks' keys are shredded, its queued and running work ends.

    What other rooms made from its messages goes in the same transaction.
    """

    name: ClassVar[str] = "tasks.delete_thread"
    effect: ClassVar[Effect] = Effect.DELETE

    thread: ThreadId


@dataclass(frozen=True, kw_only=True)
class MessageGone:
    """A message that is gone with its answer, and how much that was made from it. `thread` None: it was the only one."""

    task: TaskId
    thread: ThreadId | None
    followed: int = 0


@dataclass(frozen=True, kw_only=True)
class DeleteMessage(Action[MessageGone]):
    """Delete one message with its answer for good, as `DeleteThread` deletes all of them. What was said after it stays.

    A later answer that may repeat it stays for people to read, and is not told to the agent again.
    """

    name: ClassVar[str] = "tasks.delete_message"
    effect: ClassVar[Effect] = Effect.DELETE

    task: TaskId


@dataclass(frozen=True, kw_only=True)
class ProjectForgotten:
    """How many threads and tasks of the project went, each task with its key, and how much that was made from them."""

    project: ProjectId
    threads: int
    tasks: int
    followed: int = 0


@dataclass(frozen=True, kw_only=True)
class ForgetProject(Action[ProjectForgotten]):
    """Delete every thread of a project for good, as `DeleteThread` does: all of them, or none.

    Comes before a project is deleted, and once more after it, for what was begun in between. Asking again is no error.
    """

    name: ClassVar[str] = "tasks.forget_project"
    effect: ClassVar[Effect] = Effect.DELETE
    idempotent: ClassVar[bool] = True

    project: ProjectId

    def relevant(self) -> Mapping[str, str]:
        return {"project": str(self.project)}
