"""The backends of this machine: make sandboxes, know those they made, and end those whose time is over."""

import asyncio
import secrets
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from joule.kernel.clock import Clock
from sandbox.contract import Boundary, KnownSandbox, Probe, SandboxId, SandboxSpec
from sandbox.errors import SandboxGone, SandboxUnavailable
from sandbox.local import bwrap
from sandbox.local.groups import Groups
from sandbox.local.jail import Bubblewrap, Jail
from sandbox.local.session import LocalSandbox
from sandbox.local.spares import Spares
from sandbox.local.wire import MOST, Wire
from sandbox.pack import Packs

READY_WITHIN = 20.0  # seconds; loading the pack on a busy machine is most of it


class LocalBackend:
    """Implements `SandboxBackend`. Its sandboxes do not outlive the process: their guests die with it."""

    def __init__(
        self,
        *,
        clock: Clock,
        jail: Jail | None = None,
        pack: Path | None = None,
        packs: Packs | None = None,
        warm: int = 0,
        groups: Groups | None = None,
    ) -> None:
        """Guests may import from the folder `pack`, or from what is installed in `packs` when they are made.

        `warm` sandboxes with the pack loaded are kept ready, from the first time that one was asked for. Without
        another `jail`, it is bubblewrap's. Each sandbox has a control group of its own where there are `groups`.
        """
        self._clock, self._pack, self._packs = clock, pack, packs
        self._jail: Jail = jail or Bubblewrap()
        self._groups = groups
        self._sandboxes: dict[SandboxId, LocalSandbox] = {}
        self._keys: dict[str, SandboxId] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._spares = Spares(self._started, most=warm)

    @property
    def name(self) -> str:
        return self._jail.name

    @property
    def boundary(self) -> Boundary:
        return self._jail.boundary

    @property
    def leads_out(self) -> bool:
        return self._jail.leads_out

    async def probe(self) -> Probe:
        try:
            sandbox = await self._started(SandboxSpec(ttl_seconds=30))
            try:
                heard = [event async for event in sandbox.run_python("import os; print(os.getuid())")]
                seen = await sandbox.usage()
            finally:
                await sandbox.kill()
        except SandboxUnavailable as problem:
            return Probe(
                ok=False, backend=self.name, boundary=self.boundary, reason=problem.reason, fix=problem.advice()
            )
        except SandboxGone as problem:
            fix = "Run it again; if it ends again, look for what ends processes here (journalctl -k)."
            return Probe(ok=False, backend=self.name, boundary=self.boundary, reason=str(problem), fix=fix)
        if (seen.processes or 0) < 2 or not seen.memory_bytes or seen.inodes == 0:
            return Probe(
                ok=False,
                backend=self.name,
                boundary=self.boundary,
                reason="what runs in a sandbox cannot be watched from here",
                fix="Use a kernel that tells of child processes (CONFIG_PROC_CHILDREN).",
            )
        said = getattr(heard[0], "data", b"").strip()
        if said == str(bwrap.INSIDE_UID).encode():
            return Probe(ok=True, backend=self.name, boundary=self.boundary)
        reason, fix = "it ran as somebody else than asked", "Do not run code on this machine; tell us about it."
        return Probe(ok=False, backend=self.name, boundary=self.boundary, reason=reason, fix=fix)

    async def create(self, spec: SandboxSpec, *, key: str) -> LocalSandbox:
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            known = self._sandboxes.get(self._keys.get(key, SandboxId("")))
            if known is not None and not known.is_gone:
                return known
            await self.end_expired()
            sandbox = self._spares.taken(spec) or await self._started(spec)
            self._sandboxes[sandbox.id], self._keys[key] = sandbox, sandbox.id
            if sandbox.spec.with_pack:
                self._spares.fill(sandbox.spec)
            return sandbox

    async def attach(self, sandbox: SandboxId) -> LocalSandbox:
        await self.end_expired()
        found = self._sandboxes.get(sandbox)
        if found is None or found.is_gone:
            raise SandboxGone()
        return found

    async def listed(self, labels: Mapping[str, str] | None = None) -> tuple[KnownSandbox, ...]:
        wanted = (labels or {}).items()
        return tuple(
            each.info
            for each in self._sandboxes.values()
            if not each.is_gone and wanted <= dict(each.spec.labels).items()
        )

    async def ready(self) -> None:
        """Wait until as many as shall be kept ready are; returns at once when none was asked for yet."""
        await self._spares.filled()

    async def close(self) -> None:
        await self._spares.close()
        for each in tuple(self._sandboxes.values()):
            await each.kill()
        self._sandboxes.clear()
        self._keys.clear()

    async def end_expired(self) -> int:
        """End sandboxes nobody has used for their time, and forget those that are gone. How many ended."""
        now, ended = self._clock.now(), 0
        for each in tuple(self._sandboxes.values()):
            if not each.is_gone and each.expires_at <= now:
                await each.kill()
                ended += 1
            if each.is_gone:
                self._sandboxes.pop(each.id, None)
        self._keys = {key: name for key, name in self._keys.items() if name in self._sandboxes}
        return ended

    async def _site(self, spec: SandboxSpec) -> Path | None:
        """Where the sandbox's packages are. Raises `SandboxUnavailable` when there shall be some and are none."""
        if spec.with_pack is False:
            return None
        found = self._pack
        if found is None and self._packs is not None:
            found = await asyncio.to_thread(self._packs.site)
        if found is None and spec.with_pack:
            raise SandboxUnavailable(
                "pandas and its companions are not installed", fix="Run `joule sandbox install-pack`."
            )
        return found

    async def _started(self, spec: SandboxSpec) -> LocalSandbox:
        site = await self._site(spec)
        group = None if self._groups is None else self._groups.made(spec.limits)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # Not in a thread: it is told to die with the very thread that started it.
                door = None if group is None else group.door
                process = self._jail.start(spec, connection=theirs.fileno(), pack=site, group=door)
            except BaseException:
                ours.close()
                if group is not None:
                    group.remove()
                raise
        reader, writer = await asyncio.open_connection(sock=ours, limit=MOST)
        sandbox = LocalSandbox(
            name=SandboxId(secrets.token_hex(8)),
            spec=replace(spec, with_pack=site is not None),
            process=process,
            wire=Wire(reader, writer),
            clock=self._clock,
            look=self._jail.look,
            group=group,
        )
        try:
            async with asyncio.timeout(READY_WITHIN):
                await sandbox._answer()
        except (SandboxGone, TimeoutError) as problem:
            raise self._jail.why_not(await _last_words(process, sandbox)) from problem
        except BaseException:
            await asyncio.shield(sandbox.kill())
            raise
        return sandbox


async def _last_words(process: "subprocess.Popen[bytes]", sandbox: LocalSandbox) -> str:
    """What bubblewrap said before it ended; it is only compared, never shown."""
    said = b""
    with suppress(subprocess.TimeoutExpired, OSError, ValueError):
        await asyncio.to_thread(process.wait, 2)
        said = await asyncio.to_thread(process.stderr.read, 4096) if process.stderr else b""
    await sandbox.kill()
    return said.decode(errors="replace")
