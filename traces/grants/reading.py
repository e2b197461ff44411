"""Opens the content of a task for whoever has it on record that they read it, and for nobody else.

There is no other way to a task's content for support: what names no row of `content_read` opens nothing, so a read that
could not be written down does not happen.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault
from traces import reader, sealing
from traces.grants.errors import NoAccess
from traces.grants.parts import Part, shown
from traces.grants.queries import OPENS_FOR, is_open
from traces.grants.tables import ContentReadRow
from traces.reader import TaskEvent


@dataclass(frozen=True, kw_only=True)
class TaskContent:
    """A task's rows with what may be read of them. `is_erased`: its key is destroyed, and only the heads are left."""

    task: TaskId
    parts: frozenset[Part]
    events: tuple[TaskEvent, ...]
    is_erased: bool


async def content(
    session: ReadSession, vault: Vault, org: OrgId, read: UUID, *, person: PersonId, now: datetime
) -> TaskContent:
    """What the read on record as `read` opens, secrets masked.

    Raises `NoAccess` when it is not on record as this person's, is older than a minute, or its grant is over.
    """
    row = await session.get(ContentReadRow, (org, read))
    if row is None or row.reader_id != person or not row.at <= now < row.at + OPENS_FOR:
        raise NoAccess("traces.read_content", reason="this read is not on record")
    if not await is_open(session, org, row, now=now):
        raise NoAccess("traces.read_content", reason="the grant is over")
    task, parts = TaskId(row.task_id), frozenset(Part(each) for each in row.parts)
    keyring, is_erased = None, False
    state = await reader.chain_of(session, org, task)
    if state is not None:
        try:
            keyring = await sealing.ring_of(session, vault, org, task, state.subject)
        except (NoKey, Shredded):
            is_erased = True
    events = await reader.events(session, keyring, org, task)
    return TaskContent(
        task=task,
        parts=parts,
        events=tuple(replace(each, content=shown(each, parts)) for each in events),
        is_erased=is_erased,
    )
