"""Opens a task's journal: reads and checks what is recorded, takes the chain over from any earlier attempt."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import Fenced
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from traces import chain as chains
from traces import reader, sealing
from traces._append import Chain
from traces.ending import partitions, rules
from traces.journal import Announce, TaskJournal
from traces.recording import Recording
from traces.records import GENESIS, Record

_TAKE_OVER = text(
    "UPDATE trace_chain SET attempt = :attempt WHERE org_id = :org AND task_id = :task AND attempt < :attempt"
)


class Journals:
    """Opens journals. One per process."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock, announce: Announce | None = None) -> None:
        self._database, self._vault, self._clock, self._announce = database, vault, clock, announce

    async def open(self, org: OrgId, task: TaskId, *, attempt: int, retention: str) -> TaskJournal:
        """The journal of a task, with all that is recorded of it.

        Raises `Fenced` when a later attempt has opened it, `ChainBroken` when the record was tampered with, `Shredded`
        when its content was erased or its days are over.
        """
        async with self._database.write(org) as session:
            if attempt > 1:
                await session.execute(_TAKE_OVER, {"org": org, "task": task, "attempt": attempt})
            state = await reader.chain_of(session, org, task)
            if state is None:
                sealed = sealing.of_task(task, self._clock.now())
                keyring = await sealing.open_ring(session, self._vault, org, sealed, create=True)
                found: list[Record] = []
            else:
                keyring = await sealing.ring_of(session, self._vault, org, task, state.subject)
                found = await reader.records(session, org, task, state)
        if state is None:
            return self._journal(
                Chain(org=org, task=task, attempt=attempt, retention=retention, subject=sealed.subject), keyring
            )
        if state.attempt > attempt:
            raise Fenced()
        chains.verify(found, expected_head=state.head, expected_length=state.next_seq)
        recording = Recording()
        for record in found:
            for row in reader.opened(record, task, keyring):
                recording.take(row)
        chain = Chain(org=org, task=task, attempt=attempt, retention=state.retention, subject=state.subject)
        last_at = found[-1].at if found else state.started_at
        return self._journal(chain, keyring, recording, seq=state.next_seq, head=state.head, last_at=last_at)

    async def command(self, org: OrgId, task: TaskId, *, person: PersonId | None, retention: str) -> TaskJournal:
        """A fresh journal for one command, sealed under the organisation's key of the day and the person's own.

        `retention` is its class where the organisation has chosen none.
        """
        sealed = sealing.of_command(person, self._clock.now())
        async with self._database.write(org) as session:
            keyring = await sealing.open_ring(session, self._vault, org, sealed, create=True)
            chosen = await rules.class_of(session, org, default=retention, at=self._clock.now())
        return self._journal(Chain(org=org, task=task, attempt=1, retention=chosen, subject=sealed.subject), keyring)

    async def ensure_partitions(self, session: AsyncSession, retention: str) -> int:
        """Make the partitions of a retention class for the time ahead. How many were missing."""
        return await partitions.ensure(session, retention, now=self._clock.now())

    def _journal(
        self,
        chain: Chain,
        keyring: Keyring,
        recording: Recording | None = None,
        *,
        seq: int = 0,
        head: bytes = GENESIS,
        last_at: datetime | None = None,
    ) -> TaskJournal:
        return TaskJournal(
            database=self._database,
            clock=self._clock,
            chain=chain,
            keyring=keyring,
            recording=recording or Recording(),
            next_seq=seq,
            head=head,
            last_at=last_at,
            announce=self._announce,
        )
