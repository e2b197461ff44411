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

from sqlalchemy import select
from sqlmodel import col

from joule.database.engine import Database, ReadSession
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, ProjectId, TaskId, ThreadId, new_id
from joule.kernel.label import Label
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from sandbox import _labels, lapsing
from sandbox.artifacts.collect import OUT
from sandbox.choosing import Backends
from sandbox.contract import Boundary, KnownSandbox, Sandbox, SandboxBackend, SandboxSpec
from sandbox.egress.doors import Doors
from sandbox.errors import ProtocolBroken, SandboxGone, SandboxUnavailable
from sandbox.tables import SandboxSessionRow

FILES = "files"
_NAMES = "sandbox_session.files"
_MADE_WITHIN = timedelta(minutes=2)  # a sandbox has its row
_REMEMBERED_FOR = timedelta(days=1)  # the files of a thread's last session are put into its next one


@dataclass(frozen=True, kw_only=True)
class Use:
    """For whom a session is used, in which thread, on whose decision; and the label of what asks.

    `behind` is the boundary that the decision was made for: nothing runs behind a weaker one.
    """

    org: OrgId
    project: ProjectId
    thread: ThreadId
    task: TaskId
    decision: DecisionId
    reader: PersonId | None
    label: Label
    behind: str


@dataclass(kw_only=True)
class Held:
    """A session in use. `there` are the versions of the project's files that are in it, by name."""

    id: UUID
    sandbox: Sandbox
    backend: SandboxBackend
    fresh: bool
    label: Label
    names: tuple[str, ...]  # of files that were asked for in this session, or in the one before
    there: dict[str, int] = field(default_factory=dict)


class Sessions:
    """The sessions of one process, each in the kind of sandbox that its organisation chose."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        clock: Clock,
        backends: Backends,
        spec: SandboxSpec,
        doors: Doors,
    ) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self.backends, self._spec, self._doors = backends, spec, doors
        self._held: dict[UUID, Held] = {}
        self._turns: WeakValueDictionary[tuple[OrgId, ThreadId], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def using(self, use: Use, *, make: bool = True) -> AsyncIterator[Held]:
        """The thread's session, for one use at a time. Without `make` raises `NotFound` when there is none.

        One that ends while it is used, or answers nonsense, is written down as ended; the error goes on.
        """
        turn = self._turns.setdefault((use.org, use.thread), asyncio.Lock())
        async with turn:
            backend = await self.backends.of(use.org)
            _expect_behind(use, backend)
            held = await self._warm(use, backend)
            if held is None:
                if not make:
                    raise NotFound("session: the last one has ended")
                held = await self._made(use, backend)
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
            row = await lapsing.found(session, use.org, held.id)
            if row is None or row.state != "warm":
                raise SandboxGone()
            row.files = _sealed(keyring, row.id, held.names, row.generation)
            row.runs += runs
            row.used_at, row.expires_at = now, self._expiry(now)
            row.source_task, row.decision_id = use.task, use.decision
            for name, value in _labels.columns(held.label).items():
                setattr(row, name, value)

    async def end_strays(self) -> int:
        """End sandboxes whose session is over: those held here, and those that a worker left behind. How many."""
        ended = 0
        for name, held in tuple(self._held.items()):
            if await self._is_over(OrgId(UUID(held.sandbox.spec.labels["org"])), name):
                await held.sandbox.kill()
                await self._let_go(name)
                ended += 1
        for backend in self.backends.to_look_through():
            try:
                known = await backend.listed({})
            except SandboxUnavailable:
                continue  # looked through the next time
            for info in known:
                if await self._is_stray(info):
                    with suppress(SandboxGone):
                        await (await backend.attach(info.id)).kill()
                    ended += 1
        return ended

    async def _is_stray(self, info: KnownSandbox) -> bool:
        """Whether nobody has it. One that is new may be somebody's whose row is not there yet."""
        if "session" not in info.labels or self._clock.now() - info.created_at < _MADE_WITHIN:
            return False
        return await self._is_over(OrgId(UUID(info.labels["org"])), UUID(info.labels["session"]))

    async def _is_over(self, org: OrgId, name: UUID) -> bool:
        async with self._database.read(org) as reading:
            row = await reading.get(SandboxSessionRow, (org, name))
            return row is None or row.state != "warm"

    async def close(self) -> None:
        """End all of them."""
        self._held.clear()
        await self._doors.close_all()
        await self.backends.close()

    async def _warm(self, use: Use, backend: SandboxBackend) -> Held | None:
        async with self._database.read(use.org) as session:
            row = await _last(session, use, warm=True)
        if row is None:
            return None
        held = self._held.get(row.id)
        try:
            if held is None or row.expires_at <= self._clock.now() or not _labels.may_read(row, use.reader):
                raise SandboxGone()
            if backend.leads_out and await self._doors.is_missing(use.org, row.id):
                raise SandboxGone()
            if held.backend is not backend:
                raise SandboxGone()
            await backend.attach(held.sandbox.id)
        except SandboxGone:
            if held is not None:
                await held.sandbox.kill()
            await self._ended(use, row.id, "expired" if row.expires_at <= self._clock.now() else "gone")
            return None
        held.fresh = False
        return held

    async def _made(self, use: Use, backend: SandboxBackend) -> Held:
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
            way_out=await self._doors.opened(use.org, name) if backend.leads_out else None,
        )
        try:
            sandbox = await backend.create(spec, key=name.hex)
        except BaseException:
            await self._doors.close(name)
            raise
        try:
            async for _ in sandbox.execute(("/bin/mkdir", "-p", FILES, OUT)):
                pass
            async with self._database.write(use.org) as session:
                keyring = await self._vault.keyring(session, use.org)
                session.add(self._new(use, name, sandbox, backend, _sealed(keyring, name, names), now))
        except BaseException:
            await asyncio.shield(sandbox.kill())
            await self._doors.close(name)
            raise
        label = _labels.of_output(use.label)
        held = Held(id=name, sandbox=sandbox, backend=backend, fresh=True, label=label, names=names)
        self._held[name] = held
        return held

    def _new(
        self, use: Use, name: UUID, sandbox: Sandbox, backend: SandboxBackend, files: bytes, now: datetime
    ) -> SandboxSessionRow:
        return SandboxSessionRow(
            org_id=use.org,
            id=name,
            project_id=use.project,
            thread_id=use.thread,
            backend=backend.name,
            boundary=backend.boundary.value,
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
            row = await lapsing.found(session, use.org, name)
            if row is not None:
                lapsing.end(row, cause=cause, at=self._clock.now(), decision=use.decision)


def _expect_behind(use: Use, backend: SandboxBackend) -> None:
    """Raises unless the backend is at least as strong as the decision was told."""
    if use.behind == "none":
        raise SandboxUnavailable("there was none when this task began", fix="Ask again: the policies then know of it.")
    if not backend.boundary.is_at_least(Boundary(use.behind)):
        raise SandboxUnavailable(
            "the kind of sandbox was changed while this task ran",
            fix="Ask again: the policies then judge the new kind.",
        )


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
