"""The writer of one task's chain.

A task has one writer at a time; the database refuses rows of an earlier attempt. Rows are given their place when they
are flushed, so a rolled-back transaction leaves no gap. When a flush fails the journal is down for good in this run:
nothing more is done until the task is opened again and reads what really was written.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from joule.database.engine import Database, Driver, WriteSession, driver_of
from joule.database.errors import DatabaseAway
from joule.kernel.clock import Clock
from joule.kernel.errors import Fenced
from joule.kernel.ids import OrgId, TaskId
from joule.vault.keys import Keyring
from traces import _append
from traces.errors import JournalDown
from traces.pairing import joined
from traces.recording import Recording
from traces.records import GENESIS, Kind, Record, Row

Announce = Callable[[TaskId], None]
LINGER = 0.04  # seconds a row may wait for another flush to ride with
GROUP = 0.002  # seconds a result waits for others, or for the next intent, to be made durable in one commit with it


class TaskJournal:
    """Writes rows onto one task's chain, and remembers what the chain says."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        chain: _append.Chain,
        keyring: Keyring,
        recording: Recording,
        next_seq: int = 0,
        head: bytes = GENESIS,
        last_at: datetime | None = None,
        announce: Announce | None = None,
    ) -> None:
        self.org: OrgId = chain.org
        self.task: TaskId = chain.task
        self.recording = recording
        self.keyring = keyring
        self._database, self._clock, self._chain, self._announce = database, clock, chain, announce
        self._next, self._head = next_seq, head
        self._last_at = self._placed_at = last_at
        self._rows: list[Row] = []
        self._lock = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None
        self._down: Exception | None = None
        self._timer: asyncio.TimerHandle | None = None

    def note(
        self,
        kind: Kind,
        *,
        call: str | None = None,
        attrs: Mapping[str, Any] | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a row that rides along with the next flush. Raises `JournalDown` when an earlier flush failed."""
        self._check()
        row = Row(kind=kind, at=self.now(), call=call, attrs=attrs or {}, content=content or {})
        self._rows.append(row)
        self.recording.take(row)
        self._schedule(LINGER)

    async def write(self, kind: Kind, **row: Any) -> None:
        """Add a row and return when it is durable, with all rows before it."""
        await self.settle()
        self.note(kind, **row)
        await self.flush()

    async def flush(self) -> None:
        """Make every noted row durable. Raises `JournalDown`, or `Fenced` when another attempt has taken over."""
        async with self._lock:
            self._check()
            rows, self._rows = self._rows, []
            if not rows:
                return
            try:
                async with self._database.driver() as connection:
                    await self.append(connection, rows)
            except BaseException as problem:
                self._break(problem)
                raise
        if self._announce is not None:
            self._announce(self.task)

    def flush_soon(self) -> None:
        """Have what is noted made durable within `GROUP`, and go on. A failure is raised by whatever comes next."""
        self._schedule(GROUP)

    def _schedule(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + delay:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay, self._start)

    def _start(self) -> None:
        self._timer = None
        if self._rows and self._down is None and (self._flushing is None or self._flushing.done()):
            self._flushing = asyncio.create_task(self._drain())
            self._flushing.add_done_callback(_heard)

    async def _drain(self) -> None:
        while self._rows:  # rows noted while a flush was under way go with the next
            await self.flush()

    async def settle(self) -> None:
        """Wait for a flush under way, so that what comes next follows it. Raises what the flush failed with."""
        self._cancel_timer()
        if self._flushing is not None:
            await asyncio.shield(self._flushing)  # whoever waits may be cut off; the flush goes on
        self._check()

    async def close(self) -> None:
        """Let the journal go: nothing of it is at work afterwards. What is still noted is flushed if it can be."""
        self._cancel_timer()
        self._start()
        if self._flushing is not None:
            await asyncio.wait({self._flushing})

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Transaction"]:
        """One transaction for rows and effects: both are committed on leaving, neither on an error."""
        await self.settle()
        async with self._lock:
            self._check()
            place, carried = (self._next, self._head), self._rows
            self._rows, committing = [], False
            try:
                async with self._database.write(self.org) as session:
                    transaction = Transaction(self, session, await driver_of(session), carried=carried)
                    yield transaction
                    committing = True
            except BaseException as problem:
                self._next, self._head = place
                self._rows = [*carried, *self._rows]
                cut_off = committing and not isinstance(problem, Exception)
                if cut_off or isinstance(problem, Fenced | DatabaseAway | JournalDown):
                    self._break(problem)
                raise
            self._rows = [*transaction.carried, *self._rows]
            for row in transaction.written:
                self.recording.take(row)
            if self._rows:
                self._schedule(LINGER)
        if self._announce is not None:
            self._announce(self.task)

    async def append(self, connection: Driver, rows: list[Row]) -> None:
        """Give rows their place and insert them on `connection`. For this module and its transactions only."""
        records: list[Record] = []
        place = (self._next, self._head)
        for row in joined(rows):
            # Noted while a transaction was open, it comes after that transaction's rows: its time then does too.
            if self._placed_at is not None and row.at <= self._placed_at:
                row = replace(row, at=self._placed_at + timedelta(microseconds=1))
            self._placed_at = row.at
            record = _append.place(row, chain=self._chain, keyring=self.keyring, seq=self._next, previous=self._head)
            records.append(record)
            self._next, self._head = record.seq + 1, record.hash
        try:
            await _append.insert(connection, self._chain, records)
        except BaseException:
            self._next, self._head = place
            raise

    def _break(self, problem: BaseException) -> None:
        """Whatever happened, this run must not write on: whether the last commit took is not known here.

        Raises `Fenced` or `JournalDown` in place of any other error; returns when it is no error but the run's end.
        """
        self._down = problem if isinstance(problem, Fenced) else JournalDown()
        if isinstance(problem, Exception) and not isinstance(problem, Fenced | JournalDown):
            raise self._down from problem

    def _check(self) -> None:
        if isinstance(self._down, Fenced):
            raise self._down
        if self._down is not None:
            raise JournalDown()

    def now(self) -> datetime:
        """The time of a row: never earlier than the row before, though the clock be set back or be another machine's."""
        now = self._clock.now()
        if self._last_at is not None and now <= self._last_at:
            now = self._last_at + timedelta(microseconds=1)
        self._last_at = now
        return now


def _heard(flushing: "asyncio.Task[None]") -> None:
    """A flush that failed has put the journal down, which every later call says: nobody has to wait for it as well."""
    if not flushing.cancelled():
        flushing.exception()


class Transaction:
    """The open transaction of an internal effect: its rows, and the session its effect uses."""

    def __init__(self, journal: TaskJournal, session: WriteSession, connection: Driver, *, carried: list[Row]) -> None:
        self.session = session
        self.carried = carried  # rows that were waiting, until the first write takes them along
        self.written: list[Row] = []
        self._journal, self._connection = journal, connection

    async def write(
        self,
        kind: Kind,
        *,
        call: str | None = None,
        attrs: Mapping[str, Any] | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a row in this transaction, after any that were waiting."""
        row = Row(kind=kind, at=self._journal.now(), call=call, attrs=attrs or {}, content=content or {})
        rows, self.carried = [*self.carried, row], []
        await self._journal.append(self._connection, rows)
        self.written.append(row)
