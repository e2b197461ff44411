"""Makes attempts: each in a sandbox as the product makes it, then in one without the walls that are said to stop it."""

import inspect
import platform
import resource
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from joule.bench.attacks import _ablation
from joule.bench.attacks.attack import Attack, Given, Outcome, Siege, Verdict, Wall
from joule.kernel.clock import SystemClock
from sandbox.contract import Exited, Limits, SandboxSpec
from sandbox.local.backend import LocalBackend
from sandbox.local.session import LocalSandbox

_PATIENCE = 30.0  # seconds an attempt waits for the watch that should end it


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found of one attack."""

    name: str
    guarded: Outcome
    alone: Sequence[tuple[Wall, Outcome]]  # with one of several walls taken out: still stopped
    open: Outcome  # with all of its walls taken out

    def to_json(self) -> dict[str, Any]:
        """As one line tells it; `why` is empty when all is as it should be."""
        tries = [("with all walls", self.guarded), *((f"without {w.value}", o) for w, o in self.alone)]
        said = [f"{how}: {one.said}" for how, one in tries if one.verdict is not Verdict.STOPPED]
        said += [] if self.has_control else [f"no control: {self.open.said}"]
        return {"name": self.name, "stopped": self.is_stopped, "control": self.has_control, "why": "; ".join(said)}

    @property
    def is_stopped(self) -> bool:
        return all(each.verdict is Verdict.STOPPED for each in (self.guarded, *(one for _, one in self.alone)))

    @property
    def has_control(self) -> bool:
        return self.open.verdict is Verdict.ESCAPED


class Trial:
    """Attempts on one ground, in sandboxes that attempts with the same limits share."""

    def __init__(self, *, given: Given, is_root: bool) -> None:
        self._given, self._is_root = given, is_root
        self._backend = LocalBackend(clock=SystemClock(), pack=Path(given["pack"]))
        self._shared: dict[bool, LocalSandbox] = {}

    def fits(self, attack: Attack | Siege) -> bool:
        """Whether there is anything to attack on this machine, as this user."""
        of_the_machine = not isinstance(attack, Attack) or platform.machine() in attack.machines
        # A process that may write no dump itself cannot show what would be without that: not every root may raise a limit.
        can_show = Wall.LIMIT_CORE not in attack.walls or resource.getrlimit(resource.RLIMIT_CORE)[1] != 1
        return of_the_machine and can_show and (self._is_root or not attack.only_root)

    async def judged(self, attack: Attack | Siege) -> Found:
        if isinstance(attack, Siege):
            guarded, naive = await attack.run(self._given), await attack.without(self._given)
            return Found(name=attack.name, guarded=_outcome(guarded), alone=(), open=_outcome(naive))
        walls = [wall for wall in attack.walls if self._is_root or wall is not Wall.USER]
        alone = [(wall, await self.ablated(attack, {wall})) for wall in walls if len(walls) > 1]
        return Found(
            name=attack.name,
            guarded=await self.guarded(attack),
            alone=alone,
            open=await self.ablated(attack, set(walls)),
        )

    async def guarded(self, attack: Attack) -> Outcome:
        """Made in a sandbox as the product makes it."""
        said, ended = "", Exited(code=None)
        async with self._sandbox(attack) as sandbox:
            async for event in sandbox.run_python(_code(attack, {**self._told(), "patience": _PATIENCE})):
                if isinstance(event, Exited):
                    ended = event
                else:
                    said += event.data.decode(errors="replace")
        if attack.ended_by is not None and "ESCAPED" not in said:
            is_ended = ended.killed_by is attack.ended_by
            return Outcome(verdict=Verdict.STOPPED if is_ended else Verdict.UNCLEAR, said=f"{said[-300:]} {ended}")
        return _verdict(said)

    async def ablated(self, attack: Attack, missing: Collection[Wall]) -> Outcome:
        """Made with these walls taken out."""
        told = {**self._told(), "as_root": attack.only_root}
        spec = SandboxSpec(limits=attack.limits)
        code = _code(attack, told)
        return _verdict(await _ablation.run(code, told, spec=spec, missing=missing, with_folder=attack.with_folder))

    async def close(self) -> None:
        await self._backend.close()

    def _told(self) -> Given:
        return dict(self._given)

    @asynccontextmanager
    async def _sandbox(self, attack: Attack) -> AsyncIterator[LocalSandbox]:
        spec = SandboxSpec(limits=attack.limits, with_pack=attack.with_folder)
        if attack.limits == Limits() and attack.ended_by is None:
            known = self._shared.get(attack.with_folder)
            if known is None or known.is_gone:
                known = await self._backend.create(spec, key=uuid4().hex)
                self._shared[attack.with_folder] = known
            yield known
            return
        sandbox = await self._backend.create(spec, key=uuid4().hex)
        try:
            yield sandbox
        finally:
            await sandbox.kill()


@cache
def source(attack: Attack) -> str:
    """What is shipped. Kept, because whoever gives up being root may not read it again."""
    return inspect.getsource(attack.run)


def _code(attack: Attack, told: Given) -> str:
    """What is run inside: the attack's own source, and what asks it for its outcome."""
    return "\n".join(
        [
            "Given = object",
            source(attack),
            "try:",
            f"    _got = {attack.run.__name__}({ {**told, **attack.more}!r})",
            "except (OSError, MemoryError, RuntimeError) as _problem:",
            "    print('STOPPED', repr(_problem), flush=True)",
            "else:",
            "    print('ESCAPED' if _got else 'STOPPED', repr(_got), flush=True)",
        ]
    )


def _verdict(said: str) -> Outcome:
    for verdict in (Verdict.ESCAPED, Verdict.STOPPED):
        if verdict.name in said:
            return Outcome(verdict=verdict, said=said[-300:])
    return Outcome(verdict=Verdict.UNCLEAR, said=said[-500:])


def _outcome(through: bool) -> Outcome:
    return Outcome(verdict=Verdict.ESCAPED if through else Verdict.STOPPED)
