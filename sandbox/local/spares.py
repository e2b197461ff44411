"""Sandboxes that are started before anybody asks for them, because loading pandas takes a second.

A spare was never used by anybody: it is handed out once, and another one is started in its place.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from joule.kernel.ending import end
from sandbox.contract import SandboxSpec
from sandbox.errors import SandboxUnavailable
from sandbox.local.session import LocalSandbox


class Spares:
    """At most `most` sandboxes with the pack loaded, for whoever comes next."""

    def __init__(self, start: Callable[[SandboxSpec], Awaitable[LocalSandbox]], *, most: int) -> None:
        self._start, self._most = start, most
        self._ready: list[LocalSandbox] = []
        self._filling: asyncio.Task[None] | None = None

    def taken(self, spec: SandboxSpec) -> LocalSandbox | None:
        """One with these limits, now the caller's; None when there is none, or none with the pack is wanted."""
        if spec.with_pack is False or spec.way_out is not None:
            return None
        self._ready = [each for each in self._ready if not each.is_gone]
        for each in self._ready:
            if each.spec.limits == spec.limits:
                self._ready.remove(each)
                each.given_to(replace(spec, with_pack=True))
                return each
        return None

    def fill(self, spec: SandboxSpec) -> None:
        """Begin to start what is missing, in the background."""
        if self._most and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill(replace(spec, labels={}, way_out=None)))

    async def filled(self) -> None:
        """Wait until what was begun is ready."""
        if self._filling is not None:
            await asyncio.wait({self._filling})

    async def close(self) -> None:
        """End them all."""
        if self._filling is not None:
            await end(self._filling)
        for each in self._ready:
            await each.kill()
        self._ready.clear()

    async def _fill(self, spec: SandboxSpec) -> None:
        unlike = [each for each in self._ready if each.spec.limits != spec.limits]
        for each in unlike:
            self._ready.remove(each)
            await each.kill()
        # Whoever asks next is told why none can be started.
        with suppress(SandboxUnavailable):
            while len(self._ready) < self._most:
                self._ready.append(await self._start(spec))
