"""Where a task stands, which state may follow which, and the signals that tell of a change. Plain words, no I/O."""

from enum import StrEnum

TASK_CHANNEL = "joule_task"  # carries the id of a task with news: a row in its journal, or another state
STOP_CHANNEL = "joule_stop"  # carries the id of a task whose worker should look at its row


class State(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"  # waits for a worker
    RUNNING = "running"  # a worker holds its newest attempt
    WAITING = "waiting"  # paused until a person answers
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_ended(self) -> bool:
        """Whether nothing can follow."""
        return not MOVES[self]


MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.STOPPED, State.FAILED}),
    State.RUNNING: frozenset({State.QUEUED, State.WAITING, State.DONE, State.FAILED, State.STOPPED}),
    State.WAITING: frozenset({State.QUEUED, State.STOPPED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.STOPPED: frozenset(),
}
