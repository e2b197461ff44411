"""Goes on with the tasks that waited for a permission of a connected account, in the transaction that learns of it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from joule.database.engine import WriteSession
from joule.governance import approvals
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.tasks import _places, _states, _store
from joule.tasks.dispatch import Dispatcher
from joule.tasks.state import State


async def go_on(
    session: WriteSession,
    org: OrgId,
    *,
    connections: Iterable[UUID],
    by: PersonId,
    at: datetime,
    dispatcher: Dispatcher,
) -> tuple[TaskId, ...]:
    """Queue every task that waits for a permission of these accounts; the tasks. `by` gave the permission.

    A task that has not paused yet goes on as soon as it has. Whether the permission is really there, the account says
    when it is asked again.
    """
    await _places.lock(session, org)
    waited = await approvals.granted(session, org, connections=connections, by=by, at=at)
    going = []
    for task in waited:
        state = State((await _store.task(session, org, task)).state)
        if state.is_ended:
            continue
        going.append(task)
        if state is State.WAITING:
            await _states.move(session, org, task, State.QUEUED, at=at)
            await dispatcher.enqueue(session, org, task)
        else:
            await _store.note_answer(session, org, task)
    return tuple(going)
