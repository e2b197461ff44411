"""What can be wrong with a thread or a task."""

from joule.kernel.errors import Conflict, Invalid, JouleError


class TaskUnfinished(Conflict):
    """The thread's last task has not ended, so nothing can follow it yet."""

    code = "task.unfinished"

    def __init__(self) -> None:
        super().__init__("thread")

    def advice(self) -> str:
        return "Wait for the answer, answer the open question, or stop the task; then send the message again."


class TaskEnded(Conflict):
    """The task has ended already, so it cannot be stopped or resumed."""

    code = "task.ended"

    def __init__(self) -> None:
        super().__init__("task")

    def advice(self) -> str:
        return "Look at how the task ended; send the message again to have it done once more."


class IllegalMove(Conflict):
    """A task was asked to go from one state to another that cannot follow it."""

    code = "task.illegal_move"

    def __init__(self, before: str, after: str) -> None:
        super().__init__("task")
        self.before, self.after = before, after


class EmptyRequest(Invalid):
    """A message without words."""

    code = "task.empty_request"

    def __init__(self) -> None:
        super().__init__("the message is empty", advice="Write what you would like to have done.")


class RequestTooLong(Invalid):
    """A message longer than one task may carry."""

    code = "task.request_too_long"

    def __init__(self, length: int, allowed: int) -> None:
        super().__init__(
            f"the message has {length} characters, and {allowed} are allowed",
            advice="Upload the long text as a file and ask about the file.",
        )


class NotYours(JouleError):
    """The thread or task belongs to someone else, and the person is no admin."""

    code = "task.not_yours"

    def __init__(self) -> None:
        super().__init__("this belongs to another person")

    def advice(self) -> str:
        return "Ask the person who wrote it, or an admin of your organisation."
