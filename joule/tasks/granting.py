"""Goes on with the tasks that waited for a permission of a connected account, in the transaction that learns of it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from joule.database.engine import WriteSession
from joule.governance import approvals
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.tasks import _places, _states, _store
from joule.tasks.dispatch import Dispatcher
from joule.tasks.state import State


async def go_on(
    session: WriteSession,
    org: OrgId,
    *,
    connections: Iterable[UUID],
    by: PersonId | None,
    at: datetime,
    dispatcher: Dispatcher,
    ended: bool = False,
) -> tuple[TaskId, ...]:
    """Queue every task that waits for a permission of these accounts; the tasks. `by` gave the permission.

    `ended`: the accounts were disconnected instead, so that the tasks go on without it.

    A task that has not paused yet goes on as soon as it has. Whether the permission is really there, the account says
    when it is asked again.
    """
    await _places.lock(session, org)
    waited = await approvals.granted(session, org, connections=connections, by=by, at=at, ended=ended)
    going = []
    for task in waited:
        try:
            state = State((await _store.task(session, org, task)).state)
        except NotFound:  # deleted with its thread a moment ago
            continue
        if state.is_ended:
            continue
        going.append(task)
        if state is State.WAITING:
            await _states.move(session, org, task, State.QUEUED, at=at)
            await dispatcher.enqueue(session, org, task)
        else:
            await _store.note_answer(session, org, task)
    return tuple(going)
