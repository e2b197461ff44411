"""One warm sandbox for each thread: found again, or made anew with the files of the one before.

A session's row is written before anything goes in: its label says all that ever did, so that whatever comes out later
carries it. The sandbox itself is this process's; where another process has it, or had it, a new one is made.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import delete, select
from sqlmodel import col

from joule.database.engine import Database, ReadSession, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.label import Label
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from sandbox import _labels
from sandbox.artifacts.collect import OUT
from sandbox.contract import Sandbox, SandboxBackend, SandboxSpec
from sandbox.egress.doors import Doors
from sandbox.errors import ProtocolBroken, SandboxGone
from sandbox.tables import SandboxSessionRow

FILES = "files"
_NAMES = "sandbox_session.files"
_AT_ONCE = 200  # sessions that one round ends
_ON_RECORD_FOR = timedelta(days=90)  # that a session was there, after its end
_REMEMBERED_FOR = timedelta(days=1)  # the files of a thread's last session are put into its next one


@dataclass(frozen=True, kw_only=True)
class Use:
    """For whom a session is used, in which thread, on whose decision; and the label of what asks."""

    org: OrgId
    project: ProjectId
    thread: ThreadId
    task: TaskId
    decision: DecisionId
    reader: PersonId | None
    label: Label


@dataclass(kw_only=True)
class Held:
    """A session in use. `there` are the versions of the project's files that are in it, by name."""

    id: UUID
    sandbox: Sandbox
    fresh: bool
    label: Label
    names: tuple[str, ...]  # of files that were asked for in this session, or in the one before
    there: dict[str, int] = field(default_factory=dict)


class Sessions:
    """The sessions of one process, over one backend."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        clock: Clock,
        backend: SandboxBackend,
        spec: SandboxSpec,
        doors: Doors,
    ) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._backend, self._spec, self._doors = backend, spec, doors
        self._held: dict[UUID, Held] = {}
        self._turns: WeakValueDictionary[tuple[OrgId, ThreadId], asyncio.Lock] = WeakValueDictionary()

    @property
    def boundary(self) -> str:
        return self._backend.boundary.value

    @asynccontextmanager
    async def using(self, use: Use, *, make: bool = True) -> AsyncIterator[Held]:
        """The thread's session, for one use at a time. Without `make` raises `NotFound` when there is none.

        One that ends while it is used, or answers nonsense, is written down as ended; the error goes on.
        """
        turn = self._turns.setdefault((use.org, use.thread), asyncio.Lock())
        async with turn:
            held = await self._warm(use)
            if held is None:
                if not make:
                    raise NotFound("session: the last one has ended")
                held = await self._made(use)
            try:
                yield held
            except (SandboxGone, ProtocolBroken) as problem:
                await self._ended(use, held.id, "broken" if isinstance(problem, ProtocolBroken) else "gone")
                raise

    async def goes_in(self, use: Use, held: Held, label: Label, names: tuple[str, ...] = (), *, runs: int = 1) -> None:
        """Write down that something with this label, and these files, goes into the session now."""
        held.label, held.names = held.label.join(label), tuple(sorted({*held.names, *names}))
        now = self._clock.now()
        async with self._database.write(use.org) as session:
            keyring = await self._vault.keyring(session, use.org)
            row = await found(session, use.org, held.id)
            if row is None or row.state != "warm":
                raise SandboxGone()
            row.files = _sealed(keyring, row.id, held.names, row.generation)
            row.runs += runs
            row.used_at, row.expires_at = now, self._expiry(now)
            row.source_task, row.decision_id = use.task, use.decision
            for name, value in _labels.columns(held.label).items():
                setattr(row, name, value)

    async def end_strays(self) -> int:
        """End sandboxes of this process whose session is over in the database. How many."""
        ended = 0
        for info in await self._backend.listed({}):
            if "session" not in info.labels:
                continue  # not one of ours
            org, session = OrgId(UUID(info.labels["org"])), UUID(info.labels["session"])
            async with self._database.read(org) as reading:
                row = await reading.get(SandboxSessionRow, (org, session))
                is_over = row is None or row.state != "warm"
            if is_over:
                with suppress(SandboxGone):
                    await (await self._backend.attach(info.id)).kill()
                await self._let_go(session)
                ended += 1
        return ended

    async def close(self) -> None:
        """End all of them."""
        self._held.clear()
        await self._doors.close_all()
        await self._backend.close()

    async def _warm(self, use: Use) -> Held | None:
        async with self._database.read(use.org) as session:
            row = await _last(session, use, warm=True)
        if row is None:
            return None
        held = self._held.get(row.id)
        try:
            if held is None or row.expires_at <= self._clock.now() or not _labels.may_read(row, use.reader):
                raise SandboxGone()
            if self._backend.leads_out and await self._doors.is_missing(use.org, row.id):
                raise SandboxGone()
            await self._backend.attach(held.sandbox.id)
        except SandboxGone:
            if held is not None:
                await held.sandbox.kill()
            await self._ended(use, row.id, "expired" if row.expires_at <= self._clock.now() else "gone")
            return None
        held.fresh = False
        return held

    async def _made(self, use: Use) -> Held:
        now, name = self._clock.now(), new_id()
        async with self._database.read(use.org) as session:
            before = await _last(session, use, warm=False)
            keyring = await self._vault.keyring(session, use.org)
            recent = before is not None and before.used_at > now - _REMEMBERED_FOR
            names = _opened(keyring, before) if before is not None and recent else ()
        spec = SandboxSpec(
            limits=self._spec.limits,
            with_pack=self._spec.with_pack,
            labels={"org": use.org.hex, "session": name.hex},
            ttl_seconds=self._spec.ttl_seconds,
            way_out=await self._doors.opened(use.org, name) if self._backend.leads_out else None,
        )
        try:
            sandbox = await self._backend.create(spec, key=name.hex)
        except BaseException:
            await self._doors.close(name)
            raise
        try:
            async for _ in sandbox.execute(("/bin/mkdir", "-p", FILES, OUT)):
                pass
            async with self._database.write(use.org) as session:
                keyring = await self._vault.keyring(session, use.org)
                session.add(self._new(use, name, sandbox, _sealed(keyring, name, names), now))
        except BaseException:
            await asyncio.shield(sandbox.kill())
            await self._doors.close(name)
            raise
        held = Held(id=name, sandbox=sandbox, fresh=True, label=_labels.of_output(use.label), names=names)
        self._held[name] = held
        return held

    def _new(self, use: Use, name: UUID, sandbox: Sandbox, files: bytes, now: datetime) -> SandboxSessionRow:
        return SandboxSessionRow(
            org_id=use.org,
            id=name,
            project_id=use.project,
            thread_id=use.thread,
            backend=self._backend.name,
            boundary=self.boundary,
            sandbox=sandbox.id,
            state="warm",
            files=files,
            created_at=now,
            used_at=now,
            expires_at=self._expiry(now),
            source_task=use.task,
            decision_id=use.decision,
            **_labels.columns(_labels.of_output(use.label)),
        )

    def _expiry(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._spec.ttl_seconds + self._spec.limits.wall_seconds)

    async def _let_go(self, name: UUID) -> None:
        self._held.pop(name, None)
        await self._doors.close(name)

    async def _ended(self, use: Use, name: UUID, cause: str) -> None:
        await self._let_go(name)
        async with self._database.write(use.org) as session:
            row = await found(session, use.org, name)
            if row is not None:
                end(row, cause=cause, at=self._clock.now(), decision=use.decision)


def end(row: SandboxSessionRow, *, cause: str, at: datetime, decision: DecisionId) -> None:
    """Write down that a session is over; what is over stays over."""
    if row.state == "warm":
        row.state, row.cause, row.ended_at, row.decision_id = "ended", cause, at, decision


async def found(session: WriteSession, org: OrgId, name: UUID) -> SandboxSessionRow | None:
    """The row of a session, locked, whether or not it is over."""
    row: SandboxSessionRow | None = await session.scalar(
        select(SandboxSessionRow)
        .where(col(SandboxSessionRow.org_id) == org, col(SandboxSessionRow.id) == name)
        .with_for_update()
    )
    return row


async def end_due(session: WriteSession, org: OrgId, *, now: datetime, decision: DecisionId) -> int:
    """Write down that sessions are over whose time is, and forget those that have long been. How many were ended."""
    of_org = col(SandboxSessionRow.org_id) == org
    due = await session.scalars(
        select(SandboxSessionRow)
        .where(of_org, col(SandboxSessionRow.state) == "warm", col(SandboxSessionRow.expires_at) <= now)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = list(due)
    for row in rows:
        end(row, cause="expired", at=now, decision=decision)
    await session.flush()
    await session.execute(
        delete(SandboxSessionRow).where(of_org, col(SandboxSessionRow.ended_at) < now - _ON_RECORD_FOR)
    )
    return len(rows)


async def _last(session: ReadSession, use: Use, *, warm: bool) -> SandboxSessionRow | None:
    """The thread's newest session: of those that are warm, or of all."""
    query = select(SandboxSessionRow).where(
        col(SandboxSessionRow.org_id) == use.org,
        col(SandboxSessionRow.thread_id) == use.thread,
        col(SandboxSessionRow.project_id) == use.project,
    )
    if warm:
        query = query.where(col(SandboxSessionRow.state) == "warm")
    found: SandboxSessionRow | None = await session.scalar(query.order_by(col(SandboxSessionRow.id).desc()).limit(1))
    if found is not None:
        session.expunge(found)  # it is looked at after the transaction
    return found


def _sealed(keyring: Keyring, name: UUID, names: tuple[str, ...], generation: int = 0) -> bytes:
    return keyring.seal_text(json.dumps(names), row=name, field=_NAMES, generation=generation)


def _opened(keyring: Keyring, row: SandboxSessionRow) -> tuple[str, ...]:
    return tuple(json.loads(keyring.open_text(row.files, row=row.id, field=_NAMES, generation=row.generation)))
