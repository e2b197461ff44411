"""Which kind of sandbox an organisation's code runs in: what it chose itself, else what the operator set.

There is no second best: where the chosen kind cannot be started, no code is run.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit
from sandbox.contract import Boundary, Probe, SandboxBackend
from sandbox.errors import SandboxUnavailable
from sandbox.tables import SandboxChoiceRow

_ASKED_AGAIN_AFTER = timedelta(minutes=1)  # where no sandbox could be started
_LOOKED_THROUGH_EVERY = timedelta(minutes=1)  # for strays, where looking means to ask somebody else


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of sandbox that organisations may choose."""

    name: str
    boundary: Boundary
    is_remote: bool  # its sandboxes outlive this process, and are listed by asking somebody else
    make: Callable[[], SandboxBackend]


class Backends:
    """The kinds of sandbox of one process. Each is made when it is first asked for, and tried before it is used."""

    def __init__(self, *, kinds: Mapping[str, Kind], usual: str, database: Database, clock: Clock) -> None:
        self.kinds, self.usual = kinds, usual
        self._database, self._clock = database, clock
        self._made: dict[str, SandboxBackend] = {}
        self._found: dict[str, tuple[Probe, datetime]] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._looked: dict[str, datetime] = {}

    def named(self, name: str) -> SandboxBackend:
        """The backend of that name. Raises `SandboxUnavailable` for one that is not offered here."""
        kind = self.kinds.get(name)
        if kind is None:
            raise SandboxUnavailable(
                f"the kind {name} is not offered here",
                fix="An admin chooses another kind under Code, or the operator offers it (JOULE_SANDBOX_OFFERED).",
            )
        if name not in self._made:
            self._made[name] = kind.make()
        return self._made[name]

    async def of(self, org: OrgId) -> SandboxBackend:
        """The backend of an organisation. Raises `SandboxUnavailable`."""
        async with self._database.read(org) as session:
            chosen = await choice_of(session, org)
        return self.named(chosen or self.usual)

    async def behind(self, org: OrgId) -> str | None:
        """The boundary that an organisation's code runs behind; None where none can be started just now."""
        try:
            backend = await self.of(org)
        except SandboxUnavailable:
            return None
        return backend.boundary.value if (await self.probed(backend.name)).ok else None

    async def probed(self, name: str) -> Probe:
        """Whether one of that kind can be started. Tried once where it works, and again now and then where it does not."""
        async with self._asking.setdefault(name, asyncio.Lock()):
            known = self._found.get(name)
            if known is None or (not known[0].ok and self._clock.now() - known[1] >= _ASKED_AGAIN_AFTER):
                known = await self._tried(name), self._clock.now()
                self._found[name] = known
            return known[0]

    def to_look_through(self) -> list[SandboxBackend]:
        """The backends whose sandboxes are to be looked through for strays now; those of others now and then."""
        now, found = self._clock.now(), []
        for name, kind in self.kinds.items():
            if not kind.is_remote:
                found += [self._made[name]] if name in self._made else []
            elif name not in self._looked or now - self._looked[name] >= _LOOKED_THROUGH_EVERY:
                self._looked[name] = now
                with suppress(SandboxUnavailable):  # without a key there is nothing to look through
                    found.append(self.named(name))
        return found

    async def close(self) -> None:
        """Let go of all of them."""
        for each in self._made.values():
            await each.close()

    async def _tried(self, name: str) -> Probe:
        try:
            return await self.named(name).probe()
        except SandboxUnavailable as problem:
            boundary = self.kinds[name].boundary if name in self.kinds else Boundary.NAMESPACE
            return Probe(ok=False, backend=name, boundary=boundary, reason=problem.reason, fix=problem.advice())


async def choice_of(session: AsyncSession, org: OrgId) -> str | None:
    """What the organisation chose; None where it left that to the operator."""
    row = await session.get(SandboxChoiceRow, org)
    return None if row is None else row.backend


async def choose(session: WriteSession, permit: Permit, name: str | None, *, backends: Backends, now: datetime) -> None:
    """Run the organisation's code in that kind from now on; None: in the operator's. Raises `Invalid`.

    Sessions of another kind end with their next use.
    """
    if name is not None and name not in backends.kinds:
        raise Invalid("this kind of sandbox is not offered here", advice=f"Choose one of: {', '.join(backends.kinds)}.")
    principal = permit.action.principal
    if name is None:
        await session.execute(delete(SandboxChoiceRow).where(col(SandboxChoiceRow.org_id) == principal.org))
        return
    values = {
        "backend": name,
        "set_by": principal.person,
        "updated_at": now,
        "decision_id": permit.decision,
    }
    made = insert(SandboxChoiceRow).values(org_id=principal.org, **values)
    await session.execute(made.on_conflict_do_update(index_elements=["org_id"], set_=values))
